"""The overview's panel of backup freshness."""

from __future__ import annotations

from backups.freshness import freshness_of
from operations.overview import Panel, overview_panel
from tenancy.http import Request
from tenancy.models import Workspace

PANEL_ROWS = 12


@overview_panel(order=5)
def freshness(request: Request, workspace: Workspace) -> Panel | None:
    """The tenants with the oldest complete backups, and how many are late."""
    rows = freshness_of(workspace)
    context = {
        "rows": rows[:PANEL_ROWS],
        "total": len(rows),
        "late": sum(row.is_late for row in rows),
        "more": max(0, len(rows) - PANEL_ROWS),
    }
    return "backups/_panel_freshness.html", context
