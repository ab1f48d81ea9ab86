"""The overview of all workspaces: columns that apps register in their `overview.py`.

    @workspace_columns(order=20)
    def freshness(user: User, workspaces: Sequence[Workspace]) -> list[WorkspaceColumn]:
        return [WorkspaceColumn("Late", {workspace.pk: 3, …}, "freshness_list", "state=late")]

A function reads the numbers of all workspaces in a bounded number of statements.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet
from django.db.models.functions import Now
from django.urls import reverse

from operations.models import Incident, OperationRun
from operations.states import ATTENTION_OUTCOMES
from tenancy.models import User, Workspace
from tenancy.querysets import CappedCount
from web.keyset import COUNT_CAP, count_text
from web.registry import OrderedRegistry


@dataclass(frozen=True)
class WorkspaceColumn:
    """A number of each workspace; it links to the list with the rows that it counts."""

    label: str
    counts: Mapping[int, int]
    route: str
    query: str = ""
    #: The color of a number that is not zero.
    outcome: str = ""

    def address(self, workspace: Workspace) -> str:
        """Return the address of the list of a workspace."""
        address = reverse(self.route, args=[workspace.slug])
        return f"{address}?{self.query}" if self.query else address

    def text(self, workspace: Workspace) -> str:
        """Return the number of a workspace: “1,000+” if there are more than are counted."""
        return count_text(self.counts.get(workspace.pk, 0))


ColumnBuilder = Callable[[User, Sequence[Workspace]], list[WorkspaceColumn]]

_BUILDERS: OrderedRegistry[ColumnBuilder] = OrderedRegistry()


def workspace_columns(*, order: int) -> Callable[[ColumnBuilder], ColumnBuilder]:
    """Register columns; those with the lowest order come first."""
    return _BUILDERS.register(order=order)


def columns_for(user: User, workspaces: Sequence[Workspace]) -> list[WorkspaceColumn]:
    """Return the columns for these workspaces, in order."""
    return [column for build in _BUILDERS for column in build(user, workspaces)]


@workspace_columns(order=10)
def runs(user: User, workspaces: Sequence[Workspace]) -> list[WorkspaceColumn]:
    """The open incidents, the runs that need attention, the active runs and those that failed."""
    of_workspace = OperationRun.objects.filter(workspace=OuterRef("pk"))
    yesterday = Now() - dt.timedelta(hours=24)
    failed = of_workspace.filter(outcome__in=ATTENTION_OUTCOMES, created_at__gte=yesterday)
    counted: dict[str, QuerySet[Any]] = {
        "incidents": Incident.objects.filter(workspace=OuterRef("pk")).open(),
        "attention": of_workspace.needs_attention(),
        "active": of_workspace.active(),
        "failed": failed,
    }
    numbers = Workspace.objects.filter(pk__in=[workspace.pk for workspace in workspaces]).annotate(
        **{name: CappedCount(rows.values("pk")[: COUNT_CAP + 1]) for name, rows in counted.items()}
    )
    by_workspace = {row["pk"]: row for row in numbers.values("pk", *counted)}

    def counts(name: str) -> dict[int, int]:
        return {pk: row[name] for pk, row in by_workspace.items()}

    return [
        WorkspaceColumn("Open incidents", counts("incidents"), "incident_list", outcome="failed"),
        WorkspaceColumn(
            "Need attention", counts("attention"), "run_list", "view=attention", "failed"
        ),
        WorkspaceColumn("Failed in 24 hours", counts("failed"), "run_list", "view=failed"),
        WorkspaceColumn("Active runs", counts("active"), "run_list", "view=active"),
    ]
