"""The audit log of all workspaces in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from audit.filters import entries_with_terms
from audit.models import AuditEntry, AuditLink
from audit.presentation import action_choices, kind_choices
from tenancy.model_admin import ModelAdmin, ReadOnly
from web.term_search import SHORTEST_TERM


class ActionFilter(admin.SimpleListFilter):
    """Filter by a registered action; reading the actions from the table would scan all of it."""

    title = parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return action_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if action := self.value():
            return queryset.filter(entries_with_terms("", f"action {action}"), action=action)
        return queryset


class KindFilter(admin.SimpleListFilter):
    """Filter by the kind of the object."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return kind_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if kind := self.value():
            return queryset.filter(entries_with_terms("", f"kind {kind}"), object_type=kind)
        return queryset


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

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Return the entries with this text; the index of terms has no shorter ones."""
        text = search_term.strip()
        matches = Q.create(
            [(f"{name.removeprefix('=')}__iexact", text) for name in self.search_fields], Q.OR
        )
        if len(text) >= SHORTEST_TERM:
            matches &= entries_with_terms(text)
        return (queryset.filter(matches) if text else queryset), False


@admin.register(AuditLink)
class AuditLinkAdmin(ReadOnly, ModelAdmin[AuditLink]):
    list_display = ("position", "entry_id")
    search_fields = ("=entry_id",)
    ordering = ("-position",)
