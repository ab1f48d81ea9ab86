"""Restores in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q

from providers.kind_filter import KindFilter
from restores.models import Replacement, RestoreItem, RestoreRun
from tenancy.model_admin import ModelAdmin, ReadOnly, having_number, of_tenants_named
from web.term_search import SHORTEST_TERM, TermIndex


@admin.register(RestoreRun)
class RestoreRunAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("id", "tenant", "workspace", "status", "requested_by_name", "created_at")
    list_filter = ("status", "workspace")
    list_select_related = ("tenant", "workspace")
    search_fields = ("=id", "tenant__name")
    search_help_text = "The number of a restore, or a part of the name of a tenant."
    ordering = ("-created_at", "-id")
    actions = None

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "pk") | of_tenants_named(text)


_ITEM_TERMS = TermIndex("restore_items_terms", "backup_item_terms", ("name", "graph_id"))


@admin.register(RestoreItem)
class RestoreItemAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("name", "kind", "action", "state", "restore")
    list_filter = ("action", "state", KindFilter)
    list_select_related = ("restore",)
    search_fields = ("=graph_id", "name")
    search_help_text = "A Graph ID, or a part of a name."
    ordering = ("-id",)
    exclude = ("changes",)
    actions = None

    def indexed_search(self, text: str) -> Q | None:
        if len(text) < SHORTEST_TERM:
            return None
        matches = Q(name__icontains=text) | Q(graph_id=text)
        return matches & _ITEM_TERMS.having(text, whole=text)


@admin.register(Replacement)
class ReplacementAdmin(ReadOnly, ModelAdmin[Any]):
    list_display = ("name", "kind", "missing_id", "replacement_id", "tenant")
    list_filter = (KindFilter,)
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "=missing_id", "=replacement_id")
