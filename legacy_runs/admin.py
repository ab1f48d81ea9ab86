"""Legacy runs in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from legacy_runs.models import BackupScheduleRun, EntraGroupSyncRun, InventorySyncRun
from tenancy.model_admin import ModelAdmin, ReadOnly
from web.ids import parse_id


class StatusFilter(admin.SimpleListFilter):
    """The statuses of the older system; selecting them from the table would read all of it."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(model_admin.model.STATUSES.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if status := self.value():
            return queryset.filter(status=status)
        return queryset


class LegacyRunAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("id", "tenant", "workspace", "status", "created_at", "operation_run_id")
    list_filter = (StatusFilter, "workspace")
    list_select_related = ("tenant", "workspace")
    # The primary key is an index; the index on `created_at` starts with another column.
    ordering = ("-id",)
    actions = None

    def indexed_search(self, text: str) -> Q | None:
        """Search by the number of a row or of its run, which are indexed; otherwise by text."""
        number = parse_id(text.removeprefix("#"))
        return None if number is None else Q(pk=number) | Q(operation_run=number)


@admin.register(InventorySyncRun)
class InventorySyncRunAdmin(LegacyRunAdmin):
    search_fields = ("tenant__name", "=selection_hash")


@admin.register(EntraGroupSyncRun)
class EntraGroupSyncRunAdmin(LegacyRunAdmin):
    search_fields = ("tenant__name", "=selection_key", "=slot_key", "=error_code")


@admin.register(BackupScheduleRun)
class BackupScheduleRunAdmin(LegacyRunAdmin):
    search_fields = ("tenant__name", "=error_code")
