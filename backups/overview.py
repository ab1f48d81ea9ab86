"""The overview's panels of backups: first steps, freshness, today's slots, and the trend by day."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from backups.checklist import checklist
from backups.fleet import freshness_of_workspaces
from backups.freshness import freshness_of
from backups.today import slots_of_today
from backups.trend import DAYS, trend_of
from operations.overview import FirstSteps, Panel, no_facts, overview_panel
from operations.presentation.charts import TO_COME, build_chart
from operations.presentation.hours import runs_by_hour
from operations.types import OperationRunType
from operations.workspace_columns import WorkspaceColumn, workspace_columns
from tenancy.capabilities import capabilities_of
from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import User, Workspace

PANEL_ROWS = 6


@overview_panel(order=5, facts=no_facts)
def backups(request: Request, workspace: Workspace) -> Panel | FirstSteps:
    """The freshness of the tenants, the slots of today, and the trend of the last thirty days.

    The first steps replace them until an active tenant has a complete backup set.
    """
    fleet = freshness_of_workspaces([workspace.pk], rows=PANEL_ROWS)
    if fleet.never[workspace.pk] == fleet.total[workspace.pk]:
        allowed = capabilities_of(request.user, workspace)
        steps = checklist(workspace, freshness_of(workspace), allowed)
        return FirstSteps(("backups/_first_steps.html", steps))
    numbers = (
        ("late", "Late", "late", fleet.late),
        ("never", "Never complete", "failed", fleet.never),
        ("unscheduled", "Unscheduled", "late", fleet.unscheduled),
    )
    context = {
        "rows": fleet.stalest,
        "total": fleet.total[workspace.pk],
        "numbers": [
            {"state": state, "label": label, "outcome": outcome, "count": counts[workspace.pk]}
            for state, label, outcome, counts in numbers
        ],
    }
    return "backups/_panel_backups.html", context | _slots(request, workspace)


@workspace_columns(order=20)
def freshness(user: User, workspaces: Sequence[Workspace]) -> list[WorkspaceColumn]:
    """The active tenants, and those whose last complete backup is late or missing."""
    fleet = freshness_of_workspaces([workspace.pk for workspace in workspaces])
    return [
        WorkspaceColumn("Backup late", fleet.late, "freshness_list", "state=late", "late"),
        WorkspaceColumn("Never backed up", fleet.never, "freshness_list", "state=never", "failed"),
        WorkspaceColumn("Tenants", fleet.total, "tenant_list"),
    ]


def _slots(request: Request, workspace: Workspace) -> dict[str, Any]:
    now = request_now()
    hours = slots_of_today(workspace, now, runs_by_hour(request, workspace))
    ended: Counter[str] = Counter()
    for _, counts in hours:
        ended.update({key: count for key, count in counts.items() if key != TO_COME})
    days = [(_label(day), counts) for day, counts in trend_of(workspace, now, ended)]
    title = f"Scheduled backups of the last {DAYS} days"
    address = reverse("run_list", args=[workspace.slug])
    return {
        "today": build_chart(hours, title="Slots of today", nothing="no slots"),
        "trend": build_chart(days, title=title, nothing="no scheduled backups"),
        "first": days[0][0],
        "last": days[-1][0],
        "days": DAYS,
        "runs_url": f"{address}?type={OperationRunType.BACKUP_SCHEDULE_SCHEDULED.value}",
    }


def _label(day: dt.date) -> str:
    return f"{day.day} {day:%b}"
