"""Runs in Django admin: to look at, never to rewrite."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from operations.catalog import OperationCatalog
from operations.models import (
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunTombstone,
)


class ReadOnly:
    """No adding, no changing, no deleting, whoever asks."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class TypeFilter(admin.SimpleListFilter):
    """Types come from the catalogue: looking for them in the table would read all of it."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key.value, entry.label) for key, entry in OperationCatalog.all().items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(OperationRun)
class OperationRunAdmin(ReadOnly, admin.ModelAdmin[OperationRun]):
    list_display = ("id", "type", "workspace", "tenant", "status", "outcome", "created_at")
    list_filter = ("status", "outcome", TypeFilter)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name", "initiator_name")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(OperationRunEvent)
class OperationRunEventAdmin(ReadOnly, admin.ModelAdmin[OperationRunEvent]):
    list_display = ("id", "run_id", "sequence", "at", "kind", "level", "message", "actor")
    list_filter = ("level",)
    search_fields = ("=run__id", "=kind")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(OperationRunItem)
class OperationRunItemAdmin(ReadOnly, admin.ModelAdmin[OperationRunItem]):
    list_display = ("id", "run_id", "label", "outcome", "reason_code", "request_id", "at")
    list_filter = ("outcome",)
    search_fields = ("=run__id", "=key", "=reason_code")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(OperationRunTombstone)
class OperationRunTombstoneAdmin(ReadOnly, admin.ModelAdmin[OperationRunTombstone]):
    list_display = ("id", "type", "workspace", "tenant", "outcome", "created_at", "pruned_at")
    list_filter = ("outcome",)
    list_select_related = ("workspace", "tenant")
    search_fields = ("=id", "tenant__name", "=type")
    ordering = ("-id",)
    show_full_result_count = False
