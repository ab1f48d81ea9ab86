"""The inventory in Django admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from inventory.models import DirectoryGroup, Policy, RoleDefinition
from providers.kind_filter import KindFilter
from tenancy.model_admin import ModelAdmin, ReadOnly


@admin.register(Policy)
class PolicyAdmin(ReadOnly, ModelAdmin[Policy]):
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
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "=graph_id", "tenant__name")


@admin.register(DirectoryGroup)
class DirectoryGroupAdmin(ReadOnly, ModelAdmin[DirectoryGroup]):
    list_display = ("name", "group_type", "tenant", "workspace", "is_dynamic", "missing_since")
    list_filter = ("group_type", "is_dynamic", ("missing_since", admin.EmptyFieldListFilter))
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "=graph_id", "tenant__name")


@admin.register(RoleDefinition)
class RoleDefinitionAdmin(ReadOnly, ModelAdmin[RoleDefinition]):
    list_display = ("name", "is_built_in", "is_enabled", "tenant", "workspace", "missing_since")
    list_filter = ("is_built_in", "is_enabled", ("missing_since", admin.EmptyFieldListFilter))
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "=graph_id", "tenant__name")
