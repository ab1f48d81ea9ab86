"""The audit log of all workspaces in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import AuditEntry, AuditLink
from audit.presentation import action_choices, kind_choices
from tenancy.model_admin import ModelAdmin, ReadOnly


class ActionFilter(admin.SimpleListFilter):
    """Filter by a registered action; reading the actions from the table would scan all of it."""

    title = parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return action_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(action=self.value()) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """Filter by the kind of the object."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return kind_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(object_type=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, ModelAdmin[AuditEntry]):
    list_display = (
        "created_at",
        "user_name",
        "origin",
        "action",
        "object_type",
        "object_name",
        "workspace",
        "address",
    )
    list_filter = (ActionFilter, KindFilter)
    list_select_related = ("workspace",)
    search_fields = ("=user_name", "=object_name", "=address", "=reference")
    ordering = ("-created_at", "-id")
    show_full_result_count = False


@admin.register(AuditLink)
class AuditLinkAdmin(ReadOnly, ModelAdmin[AuditLink]):
    list_display = ("position", "entry_id")
    search_fields = ("=entry_id",)
    ordering = ("-position",)
    show_full_result_count = False
