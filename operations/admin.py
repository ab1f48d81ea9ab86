"""Runs in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from operations.catalog import OperationCatalog
from operations.models import (
    Incident,
    InvariantResult,
    ListSettings,
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunTombstone,
    OperationTick,
    SavedView,
)
from tenancy.model_admin import ModelAdmin, ReadOnly


class TypeFilter(admin.SimpleListFilter):
    """Filter by a type of the catalog; reading the types from the table would scan all of it."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key.value, entry.label) for key, entry in OperationCatalog.all().items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(OperationRun)
class OperationRunAdmin(ReadOnly, ModelAdmin[OperationRun]):
    list_display = ("id", "type", "workspace", "tenant", "status", "outcome", "created_at")
    list_filter = ("status", "outcome", TypeFilter)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name", "initiator_name")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(OperationRunEvent)
class OperationRunEventAdmin(ReadOnly, ModelAdmin[OperationRunEvent]):
    list_display = ("id", "run_id", "sequence", "at", "kind", "level", "message", "actor")
    list_filter = ("level",)
    search_fields = ("=run__id", "=kind")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(OperationRunItem)
class OperationRunItemAdmin(ReadOnly, ModelAdmin[OperationRunItem]):
    list_display = ("id", "run_id", "label", "outcome", "reason_code", "request_id", "at")
    list_filter = ("outcome",)
    search_fields = ("=run__id", "=key", "=reason_code")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(OperationRunTombstone)
class OperationRunTombstoneAdmin(ReadOnly, ModelAdmin[OperationRunTombstone]):
    list_display = ("id", "type", "workspace", "tenant", "outcome", "created_at", "pruned_at")
    list_filter = ("outcome",)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name", "=type")
    ordering = ("-id",)
    show_full_result_count = False


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
