"""The filters of the list of changes, and its search for a text."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db.models import Q

from backups.models import Change, PolicyChange, PolicyChangeQuerySet
from providers.graph.kinds import KINDS
from tenancy.filtering import ListFilter
from tenancy.models import Workspace
from web.term_search import SHORTEST_TERM, TermIndex, TermSearch


class ChangeFilter(ListFilter):
    """The changes of a workspace, narrowed by the parameters of an address.

    `scope` are the changes of the workspace or tenant in a range of days. Those of them that also
    satisfy the other parameters are `listed`. `scope` has none if a parameter is invalid.
    """

    def __init__(self, params: Mapping[str, Any], workspace: Workspace) -> None:
        super().__init__(params)
        zone = zoneinfo.ZoneInfo(workspace.timezone)
        self.workspace = workspace
        self.search = self.text("Policy, Graph ID or author")
        scope, self.conditions = PolicyChange.objects.filter(workspace=workspace), Q()
        if self.search:
            self.conditions &= text_matches(self.search)
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

    @property
    def listed(self) -> TermSearch[PolicyChangeQuerySet]:
        """The listed changes."""
        having_terms = None
        if len(self.search) >= SHORTEST_TERM:
            having_terms = partial(changes_with_terms, self.search, f"#{self.workspace.pk}")
        return TermSearch(self.scope, self.conditions, having_terms)


def text_matches(text: str) -> Q:
    """Return the condition that a change has a text."""
    return Q(name__icontains=text) | Q(graph_id=text) | Q(author__icontains=text)


_TERMS = TermIndex(
    "changes_terms", "policy_change_terms", ("workspace_id", "name", "author", "graph_id")
)


def changes_with_terms(text: str, *others: str) -> Q:
    """Return a condition of the index: more changes satisfy it than those with the text.

    `others` are terms that the changes have besides those of the text.
    """
    return _TERMS.having(text, *others, whole=text)


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone)
