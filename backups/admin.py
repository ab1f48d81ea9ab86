"""Backups in Django admin: schedules can be changed, backup sets are read-only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from backups import services
from backups.change_filter import changes_with_terms, text_matches
from backups.models import (
    BackupDay,
    BackupItem,
    BackupObjective,
    BackupSchedule,
    BackupSet,
    PolicyChange,
    PolicyExport,
    PolicyVersion,
    ScheduleRevision,
    SharedItems,
    TenantFreshness,
    TimeZoneRules,
    VersionCandidate,
    VersionRedaction,
)
from backups.redactions import redacted_payload
from operations.reasons import Blocked
from providers.graph.kinds import KINDS
from providers.kind_filter import KindFilter
from redaction import exact_json
from tenancy.model_admin import (
    ModelAdmin,
    NeverDeleted,
    ReadOnly,
    WholeForm,
    having_number,
    of_rows,
    of_tenants_named,
)
from tenancy.models import Workspace
from web.term_search import SHORTEST_TERM, TermIndex


class BackupScheduleForm(WholeForm[BackupSchedule]):
    kinds = forms.MultipleChoiceField(
        choices=[(kind.key, kind.label_plural) for kind in KINDS.values()],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = BackupSchedule
        fields = (
            "workspace",
            "tenant",
            "name",
            "cron",
            "timezone",
            "kinds",
            "retention_keep_sets",
            "retention_keep_days",
            "misfire_policy",
            "misfire_grace",
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        tenant, workspace = cleaned.get("tenant"), cleaned.get("workspace")
        if tenant and workspace and tenant.workspace_id != workspace.pk:
            self.add_error("tenant", "This tenant belongs to another workspace.")
        return cleaned


@admin.register(BackupSchedule)
class BackupScheduleAdmin(NeverDeleted, ModelAdmin[BackupSchedule]):
    form = BackupScheduleForm
    list_display = ("name", "tenant", "workspace", "cron", "timezone", "next_run_at", "paused_at")
    list_filter = (("paused_at", admin.EmptyFieldListFilter), "workspace")
    list_select_related = ("workspace", "tenant")
    search_fields = ("name", "tenant__name", "workspace__name")
    autocomplete_fields = ("workspace", "tenant")
    readonly_fields = (
        *("next_run_at", "paused_at", "paused_by", "pause_reason"),
        *("deleted_at", "deleted_by_name", "deletion_reason", "created_at"),
    )
    actions = ("run_now", "pause", "resume")

    def get_readonly_fields(
        self, request: HttpRequest, obj: BackupSchedule | None = None
    ) -> tuple[str, ...]:
        """Make the workspace and the tenant of a stored schedule read-only: its sets belong to them."""
        if obj is None:
            return self.readonly_fields
        return (*self.readonly_fields, "workspace", "tenant")

    def save_model(
        self, request: HttpRequest, obj: BackupSchedule, form: Any, change: bool
    ) -> None:
        services.save(obj, by=_user(request))

    @admin.action(description="Back up now", permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[BackupSchedule]) -> None:
        for schedule in queryset.select_related("workspace", "tenant"):
            try:
                result = services.run_now(schedule, by=_user(request))
            except Blocked as blocked:
                self.message_user(request, f"{schedule}: {blocked.message}", messages.WARNING)
                continue
            word = "started" if result.created else "is already active"
            self.message_user(request, f"{schedule}: run {result.run.pk} {word}.")

    @admin.action(description="Pause schedules", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[BackupSchedule]) -> None:
        for schedule in queryset.filter(deleted_at=None):
            services.pause(schedule, by=_user(request), reason="Paused in the administration site")
        self.message_user(request, "Schedules paused.")

    @admin.action(description="Resume schedules", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[BackupSchedule]) -> None:
        for schedule in queryset.filter(deleted_at=None).exclude(tenant__status="archived"):
            services.resume(schedule, by=_user(request))
        self.message_user(request, "Schedules resumed.")


def _user(request: HttpRequest) -> Any:
    return request.user


@admin.register(ScheduleRevision)
class ScheduleRevisionAdmin(ReadOnly, ModelAdmin[ScheduleRevision]):
    list_display = (
        "schedule",
        "number",
        "cron",
        "timezone",
        "rules_version",
        "valid_from",
        "valid_until",
        "reason",
    )
    list_filter = ("reason",)
    list_select_related = ("schedule",)
    search_fields = ("=schedule__id", "schedule__name")
    ordering = ("-id",)


@admin.register(TimeZoneRules)
class TimeZoneRulesAdmin(ReadOnly, ModelAdmin[TimeZoneRules]):
    list_display = ("version", "applied_at", "last_tick_at")
    search_fields = ("=version",)


@admin.register(TenantFreshness)
class TenantFreshnessAdmin(ReadOnly, ModelAdmin[TenantFreshness]):
    list_display = ("tenant", "workspace", "last_complete_at", "latest_status")
    list_filter = ("latest_status",)
    list_select_related = ("tenant", "workspace")
    search_fields = ("tenant__name",)
    ordering = ("tenant_id",)


@admin.register(VersionCandidate)
class VersionCandidateAdmin(ReadOnly, ModelAdmin[VersionCandidate]):
    list_display = ("id", "workspace", "version_id")
    list_select_related = ("workspace",)
    search_fields = ("=version_id",)
    ordering = ("-id",)


@admin.register(BackupSet)
class BackupSetAdmin(ReadOnly, ModelAdmin[BackupSet]):
    list_display = (
        "id",
        "tenant",
        "workspace",
        "schedule",
        "status",
        "item_count",
        "incomplete_count",
        "started_at",
        "ended_at",
    )
    list_filter = ("status", "workspace")
    list_select_related = ("workspace", "tenant", "schedule")
    search_fields = ("=id", "tenant__name", "schedule__name")
    search_help_text = "The number of a set, or a part of the name of a tenant or schedule."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        of_schedules = of_rows("schedule", BackupSchedule.objects.filter(name__icontains=text))
        return having_number(text, "pk") | of_tenants_named(text) | of_schedules


_ITEM_TERMS = TermIndex("items_terms", "backup_item_terms", ("name", "graph_id"))


@admin.register(BackupItem)
class BackupItemAdmin(ReadOnly, ModelAdmin[BackupItem]):
    list_display = ("id", "backup_set", "kind", "name", "complete", "reason_code", "captured_at")
    list_filter = ("complete", KindFilter)
    list_select_related = ("backup_set",)
    search_fields = ("=id", "=backup_set__id", "=graph_id", "name")
    search_help_text = "The number of an item or a set, a Graph ID, or a part of a name."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q | None:
        """Complete items have an index of terms, and there is an index of incomplete ones."""
        by_number = having_number(text, "pk", "backup_set")
        if len(text) < SHORTEST_TERM:
            return by_number if text.isdecimal() else None
        matches = Q(name__icontains=text) | Q(graph_id=text)
        has_terms = _ITEM_TERMS.having(text, whole=text)
        return by_number | Q(matches, has_terms, complete=True) | Q(matches, complete=False)


@admin.register(SharedItems)
class SharedItemsAdmin(ReadOnly, ModelAdmin[SharedItems]):
    list_display = ("id", "backup_set", "kind", "is_read", "count")
    list_filter = ("is_read", KindFilter)
    list_select_related = ("backup_set",)
    search_fields = ("=backup_set__id",)
    search_help_text = "The number of a set."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "backup_set")

    @admin.display(description="Items")
    def count(self, shared: SharedItems) -> int:
        return len(shared.item_ids)


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnly, ModelAdmin[PolicyVersion]):
    list_display = ("id", "workspace", "content_hash", "size", "created_at")
    list_select_related = ("workspace",)
    search_fields = ("=id", "=content_hash")
    search_help_text = "The number or the hash of a content."
    ordering = ("-id",)
    fields = ("workspace", "content_hash", "normalized_hash", "content", "size", "created_at")
    readonly_fields = ("content",)

    def indexed_search(self, text: str) -> Q:
        """The index begins with the workspace."""
        workspaces = list(Workspace.objects.order_by().values_list("pk", flat=True))
        of_content = Q(workspace__in=workspaces, content_hash=text.lower())
        return having_number(text, "pk") | of_content

    @admin.display(description="Payload without secrets")
    def content(self, version: PolicyVersion) -> str:
        return exact_json.dumps(redacted_payload(version), indent=2, ensure_ascii=False)


@admin.register(VersionRedaction)
class VersionRedactionAdmin(ReadOnly, ModelAdmin[VersionRedaction]):
    list_display = ("version_id", "rules_version")
    search_fields = ("=version__id",)
    search_help_text = "The number of a content."
    ordering = ("-version_id",)

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "pk")


@admin.register(PolicyChange)
class PolicyChangeAdmin(ReadOnly, ModelAdmin[PolicyChange]):
    list_display = ("created_at", "tenant", "change", "kind", "name", "author", "backup_set")
    list_filter = ("change", KindFilter)
    list_select_related = ("tenant", "backup_set")
    search_fields = ("=backup_set__id", "=graph_id", "name", "author")
    search_help_text = "The number of a set, a Graph ID, or a part of a name or author."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q | None:
        by_number = having_number(text, "backup_set")
        if len(text) < SHORTEST_TERM:
            return by_number if text.isdecimal() else None
        return by_number | text_matches(text) & changes_with_terms(text)


@admin.register(PolicyExport)
class PolicyExportAdmin(ReadOnly, ModelAdmin[PolicyExport]):
    list_display = ("file_name", "tenant", "workspace", "item_count", "size", "expires_at")
    list_select_related = ("tenant", "workspace")
    search_fields = ("file_name", "tenant__name", "=sha256")
    exclude = ("archive",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PolicyExport]:
        return super().get_queryset(request).defer("archive")


@admin.register(BackupObjective)
class BackupObjectiveAdmin(ReadOnly, ModelAdmin[BackupObjective]):
    list_display = ("id", "workspace", "tenant", "hours", "updated_at")
    list_select_related = ("workspace", "tenant")
    search_fields = ("tenant__name", "workspace__name")


@admin.register(BackupDay)
class BackupDayAdmin(ReadOnly, ModelAdmin[BackupDay]):
    list_display = ("day", "workspace", "counts")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)
    ordering = ("-day", "-id")
