"""The filter by policy kind of the lists in Django admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from providers.graph.kinds import KIND


class KindFilter(admin.SimpleListFilter):
    """Filter by a known kind; reading the kinds from the table would scan all of it."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.key, kind.label_plural) for kind in KIND.values()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset
