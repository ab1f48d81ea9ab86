"""Starting a run from a form: which form it was, and the way to the run."""

from __future__ import annotations

import re
import uuid

from django.contrib import messages
from django.http import HttpResponseRedirect

from operations.links import OperationRunLinks
from operations.services import DispatchResult
from tenancy.http import Request

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def submission_of(request: Request) -> uuid.UUID | None:
    """Which rendering of a form this is, as `{% submission_field %}` marked it; None if it did not.

    Give it to the dispatch: a form that is posted twice then starts one run.
    """
    given = request.POST.get("submission", "")
    return uuid.UUID(given) if _UUID.fullmatch(given) else None


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
