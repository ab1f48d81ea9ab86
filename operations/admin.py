"""Runs in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest

from operations.catalog import OperationCatalog
from operations.models import (
    ACTIVE,
    Incident,
    InvariantResult,
    ListSettings,
    Metric,
    MetricIncrement,
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunTombstone,
    OperationTick,
    SavedView,
)
from operations.selection import Chosen, select_runs
from operations.splits import Selection
from tenancy.model_admin import ModelAdmin, ReadOnly
from tenancy.models import Tenant, Workspace
from web.keyset import NEWEST_FIRST, PAGE_SIZE, BadCursor, Page
from web.statement_timeout import TookTooLong, statement_timeout

LIST_SECONDS = 5.0
#: The parameters with the place of a page.
CURSORS = ("newer", "older")


class TypeFilter(admin.SimpleListFilter):
    """Filter by a type of the catalog; reading the types from the table would scan all of it."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key.value, entry.label) for key, entry in OperationCatalog.all().items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(type=self.value()) if self.value() else queryset


class RunChangeList(ChangeList):
    """The newest runs page by page, which costs the same however many there are.

    Its pages are those of the list of runs: a cursor leads from one to the next.
    """

    page_size = PAGE_SIZE
    page: Page[OperationRun]
    newer_url = older_url = ""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the runs that the filters select; a cursor is none of them."""
        self.cursors = {name: request.GET.get(name, "") for name in CURSORS}
        for name in CURSORS:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        selection = self._select()
        try:
            with statement_timeout(LIST_SECONDS):
                self.page = selection.page(
                    selection.runs.with_scope(),
                    **self.cursors,
                    order=NEWEST_FIRST,
                    size=self.page_size,
                )
                self.count_text = selection.count()
        except BadCursor as error:
            raise IncorrectLookupParameters from error
        except TookTooLong:
            messages.error(request, "The search took too long. Narrow the filter.")
            self.page, self.count_text = Page(), "0"
        if self.page.newer:
            self.newer_url = self.get_query_string({"newer": self.page.newer})
        if self.page.older:
            self.older_url = self.get_query_string({"older": self.page.older})
        self.result_list = self.page.rows
        self.result_count = len(self.page.rows)
        self.full_result_count = None
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(self.page.rows, self.list_per_page)

    def _select(self) -> Selection:
        """Return the runs of all workspaces that the filters and the search select."""
        chosen = Chosen(
            q=self.query.strip(),
            type=self.params.get("type", ""),
            status=self.params.get("status__exact", ""),
            outcome=self.params.get("outcome__exact", ""),
        )
        runs = self.queryset.filter(ACTIVE) if chosen.is_active else self.queryset
        workspaces = list(Workspace.objects.values_list("pk", flat=True))
        return select_runs(runs, chosen, workspaces, Tenant.objects.all(), NEWEST_FIRST)


@admin.register(OperationRun)
class OperationRunAdmin(ReadOnly, ModelAdmin[OperationRun]):
    list_display = ("id", "type", "workspace", "tenant", "status", "outcome", "created_at")
    list_filter = ("status", "outcome", TypeFilter)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name", "initiator_name", "cause")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    #: Counting the rows of each value would read all runs.
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin/operations/run_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Return all rows: the list searches by its indexes."""
        return queryset, False


@admin.register(OperationRunEvent)
class OperationRunEventAdmin(ReadOnly, ModelAdmin[OperationRunEvent]):
    list_display = ("id", "run_id", "sequence", "at", "kind", "level", "message", "actor")
    list_filter = ("level",)
    search_fields = ("=run__id", "=kind")
    ordering = ("-id",)


@admin.register(OperationRunItem)
class OperationRunItemAdmin(ReadOnly, ModelAdmin[OperationRunItem]):
    list_display = ("id", "run_id", "label", "outcome", "reason_code", "request_id", "at")
    list_filter = ("outcome",)
    search_fields = ("=run__id", "=key", "=reason_code")
    ordering = ("-id",)


@admin.register(OperationRunTombstone)
class OperationRunTombstoneAdmin(ReadOnly, ModelAdmin[OperationRunTombstone]):
    list_display = ("id", "type", "workspace", "tenant", "outcome", "created_at", "pruned_at")
    list_filter = ("outcome",)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name", "=type")
    ordering = ("-id",)


@admin.register(Incident)
class IncidentAdmin(ReadOnly, ModelAdmin[Incident]):
    list_display = (
        "id",
        "workspace",
        "cause",
        "number",
        "runs",
        "tenants",
        "created_at",
        "closed_at",
    )
    list_filter = ("close_reason",)
    list_select_related = ("workspace",)
    search_fields = ("=id", "cause")
    ordering = ("-id",)


@admin.register(InvariantResult)
class InvariantResultAdmin(ReadOnly, ModelAdmin[InvariantResult]):
    list_display = ("name", "summary", "checked_at")
    search_fields = ("name", "error")
    ordering = ("name",)

    def has_view_permission(self, request: HttpRequest, obj: InvariantResult | None = None) -> bool:
        """Allow everyone who can view runs."""
        return request.user.has_perm("operations.view_operationrun")


@admin.register(OperationTick)
class OperationTickAdmin(ReadOnly, ModelAdmin[OperationTick]):
    list_display = ("name", "at")
    search_fields = ("name",)
    ordering = ("name",)

    def has_view_permission(self, request: HttpRequest, obj: OperationTick | None = None) -> bool:
        """Allow everyone who can view runs."""
        return request.user.has_perm("operations.view_operationrun")


@admin.register(Metric)
class MetricAdmin(ReadOnly, ModelAdmin[Metric]):
    list_display = ("name", "labels", "value")
    search_fields = ("name",)
    ordering = ("name", "id")

    def has_view_permission(self, request: HttpRequest, obj: Metric | None = None) -> bool:
        """Allow everyone who can view runs."""
        return request.user.has_perm("operations.view_operationrun")


@admin.register(MetricIncrement)
class MetricIncrementAdmin(ReadOnly, ModelAdmin[MetricIncrement]):
    list_display = ("kind", "run_id")
    search_fields = ("kind", "=run_id")
    ordering = ("-id",)

    def has_view_permission(self, request: HttpRequest, obj: MetricIncrement | None = None) -> bool:
        """Allow everyone who can view runs."""
        return request.user.has_perm("operations.view_operationrun")


@admin.register(SavedView)
class SavedViewAdmin(ReadOnly, ModelAdmin[SavedView]):
    list_display = ("name", "workspace", "owner", "created_by_name", "created_at")
    list_select_related = ("workspace", "owner")
    search_fields = ("name", "owner__username")
    ordering = ("-id",)


@admin.register(ListSettings)
class ListSettingsAdmin(ReadOnly, ModelAdmin[ListSettings]):
    list_display = ("user", "columns", "density")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("user",)
