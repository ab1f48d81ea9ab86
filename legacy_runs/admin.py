"""History in Django admin: to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from legacy_runs.models import BackupScheduleRun, EntraGroupSyncRun, InventorySyncRun
from tenancy.model_admin import ModelAdmin, ReadOnly


@admin.register(InventorySyncRun, EntraGroupSyncRun, BackupScheduleRun)
class LegacyRunAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("id", "tenant", "workspace", "status", "created_at", "operation_run_id")
    list_filter = ("status", "workspace")
    list_select_related = ("tenant", "workspace")
    search_fields = ("=id", "tenant__name", "=operation_run__id")
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    actions = None
