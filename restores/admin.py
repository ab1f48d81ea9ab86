"""Restores in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from providers.kind_filter import KindFilter
from restores.models import Replacement, RestoreItem, RestoreRun
from tenancy.model_admin import ModelAdmin, ReadOnly


@admin.register(RestoreRun)
class RestoreRunAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("id", "tenant", "workspace", "status", "requested_by_name", "created_at")
    list_filter = ("status", "workspace")
    list_select_related = ("tenant", "workspace")
    search_fields = ("=id", "tenant__name")
    ordering = ("-created_at", "-id")
    actions = None


@admin.register(RestoreItem)
class RestoreItemAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("name", "kind", "action", "state", "restore")
    list_filter = ("action", "state", KindFilter)
    list_select_related = ("restore",)
    search_fields = ("=graph_id", "name")
    exclude = ("changes",)
    actions = None


@admin.register(Replacement)
class ReplacementAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("name", "kind", "missing_id", "replacement_id", "tenant")
    list_filter = (KindFilter,)
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "=missing_id", "=replacement_id")
