"""Start a run from a form, and redirect to it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect

from operations.links import OperationRunLinks
from operations.reasons import Blocked
from operations.services import DispatchResult
from tenancy.http import Request

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def submission_of(request: Request) -> uuid.UUID | None:
    """The rendering of the form that was sent, as `{% submission_field %}` marked it.

    Pass it to the dispatch: a form that is posted twice then starts one run.
    """
    value = request.POST.get("submission", "")
    return uuid.UUID(value) if _UUID.fullmatch(value) else None


def dispatch_and_redirect(
    request: Request, dispatch: Callable[[], DispatchResult], *, blocked_to: Any
) -> HttpResponse:
    """Dispatch a run and redirect to it; if it is blocked, show why and redirect to `blocked_to`."""
    try:
        result = dispatch()
    except Blocked as blocked:
        messages.error(request, f"{blocked.message} {blocked.next_step}")
        return redirect(blocked_to)
    return redirect_to_dispatch(request, result)


def redirect_to_dispatch(request: Request, result: DispatchResult) -> HttpResponseRedirect:
    """Redirect to the run of a dispatch: the new one, or the one that was already active."""
    run = result.run
    if not result.created:
        status = run.get_status_display().lower()
        messages.info(request, f"{run.label} is already {status}. This is the active run.")
    elif result.published is False:
        messages.warning(
            request, f"{run.label} is queued. It starts as soon as the message queue accepts it."
        )
    else:
        messages.success(request, f"{run.label} was started.")
    return HttpResponseRedirect(OperationRunLinks.view(run))
