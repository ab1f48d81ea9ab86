"""Cancel, retry or acknowledge a run."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from operations.forms import AcknowledgeForm
from operations.models import OperationRun
from operations.permissions import may_cancel, may_retry
from operations.services import NotRetryable, OperationRunService, RunNoLongerActive
from operations.views.start import redirect_to_dispatch, submission_of
from redaction.text import sanitize_text
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.http import Request, action
from tenancy.roles import Capability

#: The longest reason of a cancellation.
MAX_REASON = 200


@action
def run_cancel(request: Request, run_id: int) -> HttpResponse:
    """Cancel the run, with an optional reason."""
    run = _visible(request, run_id)
    if not may_cancel(run, request.user, capabilities_of(request.user, run.workspace)):
        raise PermissionDenied("Your role does not allow you to cancel this run.")
    reason = sanitize_text(request.POST.get("reason", "").strip(), max_length=MAX_REASON + 1)
    if len(reason) > MAX_REASON:
        raise BadRequest("The reason is too long.")
    try:
        cancelled = OperationRunService().request_cancel(run, by=request.user, reason=reason)
    except RunNoLongerActive:
        messages.info(request, "The run has already ended. There is nothing to cancel.")
        return redirect(run)
    if cancelled.is_active:
        messages.info(request, "Cancellation requested. The run stops after the current item.")
    else:
        messages.success(request, "Run cancelled before it started.")
    return redirect(run)


@action
def run_retry(request: Request, run_id: int) -> HttpResponse:
    """Retry what the run did not complete."""
    run = _visible(request, run_id)
    if not may_retry(run, request.user, capabilities_of(request.user, run.workspace)):
        raise PermissionDenied("Your role does not allow you to retry this run.")
    try:
        result = OperationRunService().retry(
            run, by=request.user, submission=submission_of(request)
        )
    except NotRetryable as error:
        messages.warning(request, str(error))
        return redirect(run)
    return redirect_to_dispatch(request, result)


@action
def run_again(request: Request, run_id: int) -> HttpResponse:
    """Start a run with the inputs of a succeeded run."""
    run = _visible(request, run_id)
    if not may_retry(run, request.user, capabilities_of(request.user, run.workspace)):
        raise PermissionDenied("Your role does not allow you to start this operation.")
    try:
        result = OperationRunService().run_again(
            run, by=request.user, submission=submission_of(request)
        )
    except NotRetryable as error:
        messages.warning(request, str(error))
        return redirect(run)
    return redirect_to_dispatch(request, result)


@action
def run_acknowledge(request: Request, run_id: int) -> HttpResponse:
    """Remove the run from “Needs attention”, with an optional note and assignee."""
    run = _visible(request, run_id)
    require_capability(request.user, run.workspace, Capability.ACKNOWLEDGE_RUN)
    form = AcknowledgeForm(request.POST, workspace=run.workspace)
    if not form.is_valid():
        raise BadRequest("The note or the assignee is not valid.")
    if run.is_acknowledgeable:
        OperationRunService().acknowledge(run, by=request.user, **form.cleaned_data)
        messages.success(request, "Run acknowledged. It no longer needs attention.")
    else:
        messages.info(request, "This run does not need attention.")
    return redirect(run)


def _visible(request: Request, run_id: int) -> OperationRun:
    runs = OperationRun.objects.visible_to(request.user).with_scope()
    return get_object_or_404(runs, pk=run_id)
