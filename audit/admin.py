"""The audit log of all workspaces in Django admin, read-only."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import cached_property

from audit.filters import entries_with_terms
from audit.models import AuditEntry, AuditEntryQuerySet, AuditLink
from audit.presentation import action_choices, kind_choices
from tenancy.change_list import CursorChangeList
from tenancy.model_admin import ModelAdmin, ReadOnly, having_number
from web.keyset import Page
from web.term_search import SHORTEST_TERM, TermSearch


class ActionFilter(admin.SimpleListFilter):
    """Filter by a registered action; reading the actions from the table would scan all of it."""

    title = parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return action_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return all rows: the list reads them by its indexes."""
        return queryset


class KindFilter(ActionFilter):
    """Filter by the kind of the object."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return kind_choices()


class EntryChangeList(CursorChangeList):
    """The entries of all workspaces, read as the audit log of a workspace is."""

    def read_page(self, **cursors: str) -> Page[AuditEntry]:
        return self._search.page(self.queryset, **cursors)

    def read_count(self) -> str:
        return self._search.count()

    @cached_property
    def _search(self) -> TermSearch[AuditEntryQuerySet]:
        """The entries that the filters and the search select; its index has no short texts."""
        conditions, terms = Q(), []
        text = self.query.strip()
        for name, column in (("kind", "object_type"), ("action", "action")):
            if value := self.params.get(name):
                conditions &= Q((column, value))
                terms.append(f"{name} {value}")
        if text:
            names = [name.removeprefix("=") for name in self.search_fields]
            conditions &= Q.create([(f"{name}__iexact", text) for name in names], Q.OR)
        having_terms = None
        if terms or len(text) >= SHORTEST_TERM:
            having_terms = partial(entries_with_terms, text, *terms)
        return TermSearch(self.queryset, conditions, having_terms)


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
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EntryChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Return all rows: the list searches by its indexes."""
        return queryset, False


@admin.register(AuditLink)
class AuditLinkAdmin(ReadOnly, ModelAdmin[AuditLink]):
    list_display = ("position", "entry_id")
    search_fields = ("=entry_id",)
    search_help_text = "The number of an entry."
    ordering = ("-position",)

    def indexed_search(self, text: str) -> Q:
        return having_number(text, "entry_id")
