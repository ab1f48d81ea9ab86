"""The filters of the list of changes, and its search for a text."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.lookups import DataContains
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from backups.models import Change, PolicyChange, PolicyChangeQuerySet
from providers.graph.kinds import KINDS
from tenancy.filtering import ListFilter
from tenancy.models import Workspace
from web.keyset import (
    COUNT_CAP,
    NEWEST_FIRST,
    PAGE_SIZE,
    Order,
    count_text,
    first_rows,
    in_order,
)

#: A search compares this many of the nearest changes for each one that it lists. A text that fewer
#: of them have is so rare that the index of terms has few changes with it.
COMPARED = 160
#: The index has no shorter texts: they are compared with change after change.
SHORTEST_TERM = 3
_TERMS: ArrayField[Any, Any] = ArrayField(TextField())


class ChangeFilter(ListFilter):
    """The changes of a workspace, narrowed by the parameters of an address.

    `scope` are the changes of the workspace or tenant in a range of days. Those of them that also
    satisfy the other parameters are listed: `fetch` returns them. `scope` has none if a parameter
    is invalid.
    """

    def __init__(self, params: Mapping[str, Any], workspace: Workspace) -> None:
        super().__init__(params)
        zone = zoneinfo.ZoneInfo(workspace.timezone)
        self.workspace = workspace
        self.search = self.text("Policy, Graph ID or author")
        scope, self.conditions = PolicyChange.objects.filter(workspace=workspace), Q()
        if self.search:
            self.conditions &= (
                Q(name__icontains=self.search)
                | Q(graph_id=self.search)
                | Q(author__icontains=self.search)
            )
        self.tenant_choice = self.tenant(workspace.tenants.all())
        if self.tenant_choice:
            scope = scope.filter(tenant=self.tenant_choice)
        kinds = [(kind.key, kind.label_plural) for kind in KINDS.values()]
        if kind := self.choice("kind", "Kind", kinds, empty="Any kind"):
            self.conditions &= Q(kind=kind)
        if change := self.choice("change", "Change", Change.choices, empty="Any change"):
            self.conditions &= Q(change=change)
        if since := self.day("since", "From"):
            scope = scope.filter(created_at__gte=_midnight(since, zone))
        if until := self.day("until", "To"):
            scope = scope.filter(created_at__lt=_midnight(until + dt.timedelta(days=1), zone))
        self.scope: PolicyChangeQuerySet = scope.none() if self.errors else scope

    def fetch(self, changes: PolicyChangeQuerySet, order: Order, count: int) -> list[PolicyChange]:
        """Return the first listed ones of these changes, which are `scope` or a part of it."""
        matching = changes.filter(self.conditions)
        nearest = self._nearest(changes, order, count)
        if nearest is None:
            return first_rows(matching, order, count)
        first = first_rows(matching.filter(nearest), order, count)
        if len(first) == count:
            return first
        # No index has this order, so that PostgreSQL does not search in the order of one.
        by_value = replace(order, value=order.value + Value(dt.timedelta(0)))
        return first_rows(matching.filter(self._has_terms()), by_value, count)

    def count(self) -> str:
        """Return the number of listed changes as text, such as “12”, “31+” or “1,000+”."""
        listed = self.scope.filter(self.conditions)
        nearest = self._nearest(self.scope, NEWEST_FIRST, PAGE_SIZE + 1)
        if nearest is not None:
            counted = in_order(listed.filter(nearest))[: COUNT_CAP + 1].count()
            if counted > PAGE_SIZE:
                return count_text(min(counted, COUNT_CAP)) + "+"
            return count_text(listed.filter(self._has_terms())[: COUNT_CAP + 1].count())
        # In the order of an index: without an order, the table could be scanned.
        return count_text(in_order(listed)[: COUNT_CAP + 1].count())

    def _nearest(self, changes: PolicyChangeQuerySet, order: Order, count: int) -> Q | None:
        """Return the condition of the first changes, among which a text is searched first.

        None if no text is searched by terms, or there are no other changes.
        """
        if len(self.search) < SHORTEST_TERM:
            return None
        last = COMPARED * count - 1
        at = in_order(changes.order_by(), order).values_list(order.value, flat=True)
        if not (place := list(at[last : last + 1])):
            return None
        is_before = GreaterThanOrEqual if order.descending else LessThanOrEqual
        return Q(is_before(order.value, Value(place[0])))

    def _has_terms(self) -> Q:
        """Return the condition of the index: more changes than those with the text satisfy it."""
        columns = ("workspace_id", "name", "author", "graph_id")
        terms = Func(*map(F, columns), function="policy_change_terms", output_field=_TERMS)
        workspace = f"#{self.workspace.pk}"
        of_text = Func(
            Func(Value(self.search), function="search_trigrams"),
            Value(workspace),
            function="array_append",
            output_field=_TERMS,
        )
        graph_id = Value([self.search, workspace], _TERMS)
        return Q(DataContains(terms, of_text)) | Q(DataContains(terms, graph_id))


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone)
