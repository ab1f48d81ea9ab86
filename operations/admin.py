"""Runs in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import cached_property

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
    RunCount,
    SavedView,
)
from operations.selection import Chosen, select_runs
from operations.splits import Selection
from tenancy.change_list import CursorChangeList
from tenancy.model_admin import ModelAdmin, ReadOnly, having_number, of_tenants_named
from tenancy.models import Tenant, Workspace
from web.keyset import NEWEST_FIRST, PAGE_SIZE, Page


class TypeFilter(admin.SimpleListFilter):
    """Filter by a type of the catalog; reading the types from the table would scan all of it."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key.value, entry.label) for key, entry in OperationCatalog.all().items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(type=self.value()) if self.value() else queryset


class RunChangeList(CursorChangeList):
    """The runs of all workspaces, read as the list of runs is."""

    page_size = PAGE_SIZE

    def read_page(self, **cursors: str) -> Page[OperationRun]:
        selection = self._selection
        rows = selection.runs.with_scope()
        return selection.page(rows, **cursors, order=NEWEST_FIRST, size=self.page_size)

    def read_count(self) -> str:
        return self._selection.count()

    @cached_property
    def _selection(self) -> Selection:
        """The runs that the filters and the search select."""
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
    #: No index has other texts of the rows, of which there are many for each run.
    search_fields = ("=run__id",)
    search_help_text = "The number of a run."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "run")


@admin.register(OperationRunItem)
class OperationRunItemAdmin(ReadOnly, ModelAdmin[OperationRunItem]):
    list_display = ("id", "run_id", "label", "outcome", "reason_code", "request_id", "at")
    list_filter = ("outcome",)
    search_fields = ("=run__id",)
    search_help_text = "The number of a run."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "run")


@admin.register(OperationRunTombstone)
class OperationRunTombstoneAdmin(ReadOnly, ModelAdmin[OperationRunTombstone]):
    list_display = ("id", "type", "workspace", "tenant", "outcome", "created_at", "pruned_at")
    list_filter = ("outcome", TypeFilter)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name")
    search_help_text = "The number of a run, or a part of the name of a tenant."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "pk") | of_tenants_named(text)


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


@admin.register(RunCount)
class RunCountAdmin(ReadOnly, ModelAdmin[RunCount]):
    list_display = ("workspace", "quarter", "type", "outcome", "runs")
    list_filter = ("outcome",)
    list_select_related = ("workspace",)
    search_fields = ("=type",)
    ordering = ("-quarter", "-id")

    def has_view_permission(self, request: HttpRequest, obj: RunCount | None = None) -> bool:
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
