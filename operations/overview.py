"""The overview of a workspace: panels that apps register in their `overview.py`.

    @overview_panel(order=10)
    def freshness(request: Request, workspace: Workspace) -> Panel | None:
        return "backups/_freshness.html", {"tenants": …}

A panel that returns None is omitted. The template gets `workspace`, `user` and its own context.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncHour

from operations.models import OperationRun, OperationRunQuerySet
from operations.presentation.charts import HOURS, build_day_chart
from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import Workspace
from web.keyset import capped_count
from web.registry import OrderedRegistry

Panel = tuple[str, dict[str, Any]]
PanelBuilder = Callable[[Request, Workspace], Panel | None]
PANEL_ROWS = 8

_PANELS: OrderedRegistry[PanelBuilder] = OrderedRegistry()


def overview_panel(*, order: int) -> Callable[[PanelBuilder], PanelBuilder]:
    """Register a panel; the panel with the lowest order comes first."""
    return _PANELS.register(order=order)


def panels_for(request: Request, workspace: Workspace) -> list[Panel]:
    """Return the panels of a workspace's overview, in order."""
    panels = (build_panel(request, workspace) for build_panel in _PANELS)
    return [panel for panel in panels if panel]


# --- panels of runs ------------------------------------------------------------------------


@overview_panel(order=20)
def active_runs(request: Request, workspace: Workspace) -> Panel:
    """The active runs."""
    runs = _runs(request, workspace).active().newest_first()
    return "operations/_panel_active.html", {
        "runs": list(runs[:PANEL_ROWS]),
        "count": capped_count(runs),
    }


@overview_panel(order=30)
def needs_attention(request: Request, workspace: Workspace) -> Panel:
    """The runs that need attention."""
    runs = _runs(request, workspace).needs_attention()
    newest = list(runs.newest_first()[:PANEL_ROWS])
    return "operations/_panel_attention.html", {"runs": newest, "count": capped_count(runs)}


@overview_panel(order=40)
def last_day(request: Request, workspace: Workspace) -> Panel:
    """The outcomes of the runs of the last 24 hours."""
    since = request_now() - dt.timedelta(hours=HOURS)
    runs = _runs(request, workspace).filter(created_at__gte=since)
    by_hour = runs.annotate(hour=TruncHour("created_at")).order_by()
    counts = by_hour.values_list("hour", "outcome").annotate(Count("id"))
    return "operations/_panel_day.html", {"chart": build_day_chart(counts, request_now())}


def _runs(request: Request, workspace: Workspace) -> OperationRunQuerySet:
    visible = OperationRun.objects.visible_to(request.user)
    return visible.filter(workspace=workspace).with_scope()
