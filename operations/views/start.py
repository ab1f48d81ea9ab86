"""After a start: to the run, saying whether it is a new one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseRedirect

from operations.links import OperationRunLinks
from operations.services import DispatchResult
from tenancy.http import Request


def redirect_to_dispatch(request: Request, result: DispatchResult) -> HttpResponseRedirect:
    """Lead to the run of a dispatch: the new one, or the one that was active already."""
    run = result.run
    if not result.created:
        messages.info(
            request,
            f"{run.label} was already {run.get_status_display().lower()}: this is that run.",
        )
    elif result.published is False:
        messages.warning(request, f"{run.label} was accepted and waits for the queue.")
    else:
        messages.success(request, f"{run.label} was started.")
    return HttpResponseRedirect(OperationRunLinks.view(run))
