"""The filters of the list of changes."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from backups.models import Change, PolicyChange, PolicyChangeQuerySet
from providers.graph.kinds import KINDS
from tenancy.filtering import ListFilter
from tenancy.models import Workspace


class ChangeFilter(ListFilter):
    """The changes of a workspace, narrowed by the parameters of an address.

    `changes` has none if a parameter is invalid.
    """

    def __init__(self, params: Mapping[str, Any], workspace: Workspace) -> None:
        super().__init__(params)
        zone = zoneinfo.ZoneInfo(workspace.timezone)
        changes = PolicyChange.objects.filter(workspace=workspace)
        if search := self.text("Policy, Graph ID or author"):
            changes = changes.filter(
                Q(name__icontains=search) | Q(graph_id=search) | Q(author__icontains=search)
            )
        self.tenant_choice = self.tenant(workspace.tenants.all())
        if self.tenant_choice:
            changes = changes.filter(tenant=self.tenant_choice)
        kinds = [(kind.key, kind.label_plural) for kind in KINDS.values()]
        if kind := self.choice("kind", "Kind", kinds, empty="Any kind"):
            changes = changes.filter(kind=kind)
        if change := self.choice("change", "Change", Change.choices, empty="Any change"):
            changes = changes.filter(change=change)
        if since := self.day("since", "From"):
            changes = changes.filter(created_at__gte=_midnight(since, zone))
        if until := self.day("until", "To"):
            changes = changes.filter(created_at__lt=_midnight(until + dt.timedelta(days=1), zone))
        self.changes: PolicyChangeQuerySet = changes.none() if self.errors else changes


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone)
