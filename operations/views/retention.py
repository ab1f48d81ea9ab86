"""Retention: its limits, its runs, and the page of a removed run."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from operations.maintenance.prune import PRUNE, dispatch_prune
from operations.models import OperationRun, OperationRunTombstone
from operations.presentation import summary
from operations.views.start import redirect_to_dispatch, submission_of
from tenancy.capabilities import has_capability, require_capability
from tenancy.http import Request, action, page, workspace_or_404
from tenancy.roles import Capability

RECENT_RUNS = 5


@page
def retention_policy(request: Request, slug: str) -> HttpResponse:
    """The retention limits, the recent retention runs, and a button to start one."""
    workspace = workspace_or_404(request, slug)
    runs = OperationRun.objects.visible_to(request.user).filter(workspace=workspace, type=PRUNE)
    context = {
        "workspace": workspace,
        "section": "runs",
        "limits": _limits(),
        "keep_last": settings.RUN_KEEP_LAST,
        "tombstone_days": settings.RUN_TOMBSTONE_DAYS,
        "runs": runs.with_scope().newest_first()[:RECENT_RUNS],
        "may_prune": has_capability(request.user, workspace, Capability.PRUNE_RUNS),
    }
    return render(request, "operations/retention_policy.html", context)


@action("retention_policy", "slug")
def retention_prune(request: Request, slug: str) -> HttpResponse:
    """Start retention, or redirect to the run that is already active."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.PRUNE_RUNS)
    result = dispatch_prune(workspace, by=request.user, submission=submission_of(request))
    return redirect_to_dispatch(request, result)


def show_removed_run(request: Request, run_id: int) -> HttpResponse:
    """The page of a run that retention has removed, for members of its workspace.

    Raises:
        Http404: the run never existed, or the user cannot view it.
    """
    tombstones = OperationRunTombstone.objects.visible_to(request.user)
    tombstone = get_object_or_404(tombstones.select_related("workspace", "tenant"), pk=run_id)
    context = {
        "tombstone": tombstone,
        "workspace": tombstone.workspace,
        "section": "runs",
        "state": summary.outcome_state(tombstone.outcome),
    }
    return render(request, "operations/run_removed.html", context, status=410)


def _limits() -> list[tuple[str, int, int]]:
    return [
        (
            "Succeeded, cancelled",
            settings.RUN_KEEP_DETAILS_DAYS,
            settings.RUN_KEEP_DAYS,
        ),
        (
            "Failed, partially succeeded, blocked",
            settings.RUN_KEEP_PROBLEM_DETAILS_DAYS,
            settings.RUN_KEEP_PROBLEM_DAYS,
        ),
    ]
