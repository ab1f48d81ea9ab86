"""Retention: what is kept for how long, and what is left of a run that was not kept."""

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

SHOWN = 5


@page
def retention_policy(request: Request, slug: str) -> HttpResponse:
    """What is kept for how long, when old runs were last removed, and a button to do it now."""
    workspace = workspace_or_404(request, slug)
    runs = OperationRun.objects.visible_to(request.user).filter(workspace=workspace, type=PRUNE)
    context = {
        "workspace": workspace,
        "section": "runs",
        "limits": _limits(),
        "keep_last": settings.RUN_KEEP_LAST,
        "tombstone_days": settings.RUN_TOMBSTONE_DAYS,
        "runs": runs.with_scope().newest_first()[:SHOWN],
        "may_prune": has_capability(request.user, workspace, Capability.PRUNE_RUNS),
    }
    return render(request, "operations/retention_policy.html", context)


@action
def retention_prune(request: Request, slug: str) -> HttpResponse:
    """Start retention now, or join the run that is at it."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.PRUNE_RUNS)
    result = dispatch_prune(workspace, by=request.user, submission=submission_of(request))
    return redirect_to_dispatch(request, result)


def removed_run(request: Request, run_id: int) -> HttpResponse:
    """The page of a run that retention has removed, for whoever could see the run.

    Raises:
        Http404: there was no such run, or it was none of this person's business.
    """
    stones = OperationRunTombstone.objects.visible_to(request.user)
    stone = get_object_or_404(stones.select_related("workspace", "tenant"), pk=run_id)
    context = {
        "stone": stone,
        "workspace": stone.workspace,
        "section": "runs",
        "stone_state": summary.outcome_state(stone.outcome),
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
