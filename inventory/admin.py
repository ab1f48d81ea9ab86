"""The inventory in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q

from inventory.models import DirectoryGroup, Policy, RoleDefinition
from providers.kind_filter import KindFilter
from tenancy.model_admin import ModelAdmin, ReadOnly, having_part, of_tenants_named
from web.term_search import SHORTEST_TERM


class MirroredAdmin(ReadOnly, ModelAdmin[Any]):
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "=graph_id", "tenant__name")
    search_help_text = "A Graph ID, or a part of the name of an object or a tenant."

    def indexed_search(self, text: str) -> Q | None:
        if len(text) < SHORTEST_TERM:
            return None
        has_id = Q(graph_id__in=[text, text.lower()])
        return has_id | having_part(text, self.model, "name") | of_tenants_named(text)


@admin.register(Policy)
class PolicyAdmin(MirroredAdmin):
    list_display = (
        "name",
        "kind",
        "tenant",
        "workspace",
        "platform",
        "is_assigned",
        "missing_since",
    )
    list_filter = (KindFilter, ("missing_since", admin.EmptyFieldListFilter), "is_assigned")


@admin.register(DirectoryGroup)
class DirectoryGroupAdmin(MirroredAdmin):
    list_display = ("name", "group_type", "tenant", "workspace", "is_dynamic", "missing_since")
    list_filter = ("group_type", "is_dynamic", ("missing_since", admin.EmptyFieldListFilter))


@admin.register(RoleDefinition)
class RoleDefinitionAdmin(MirroredAdmin):
    list_display = ("name", "is_built_in", "is_enabled", "tenant", "workspace", "missing_since")
    list_filter = ("is_built_in", "is_enabled", ("missing_since", admin.EmptyFieldListFilter))
