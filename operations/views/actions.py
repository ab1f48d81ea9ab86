"""Cancel, retry or acknowledge a run."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from operations.forms import AcknowledgeForm, CancelForm
from operations.models import OperationRun
from operations.permissions import may_cancel, may_retry
from operations.services import NotRetryable, OperationRunService, RunNoLongerActive
from operations.states import RunOutcome
from operations.views.start import redirect_to_dispatch, submission_of
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.http import Request, action, ask_again, show_unchanged
from tenancy.roles import Capability


@action("run_detail", "run_id")
def run_cancel(request: Request, run_id: int) -> HttpResponse:
    """Cancel the run, with an optional reason."""
    run = _visible(request, run_id)
    if not may_cancel(run, request.user, capabilities_of(request.user, run.workspace)):
        raise PermissionDenied("Your role does not allow you to cancel this run.")
    form = CancelForm(request.POST)
    if not form.is_valid():
        return _ask_again(request, form, run, "Cancel run")
    reason = form.cleaned_data["reason"]
    try:
        cancelled, is_first = OperationRunService().request_cancel_once(
            run, by=request.user, reason=reason
        )
    except RunNoLongerActive:
        run = _visible(request, run_id)
        if run.outcome == RunOutcome.CANCELLED:
            _show_cancelled(request, run, "The run was already cancelled")
        else:
            messages.info(request, "The run has already ended. There is nothing to cancel.")
        return redirect(run)
    if not is_first:
        _show_cancelled(request, cancelled, "The cancellation was already requested")
    elif cancelled.is_active:
        messages.info(request, "Cancellation requested. The run stops after the current item.")
    else:
        messages.success(request, "Run cancelled before it started.")
    return redirect(run)


@action("run_detail", "run_id")
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


@action("run_detail", "run_id")
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


@action("run_detail", "run_id")
def run_acknowledge(request: Request, run_id: int) -> HttpResponse:
    """Remove the run from “Needs attention”, with an optional note and assignee."""
    run = _visible(request, run_id)
    require_capability(request.user, run.workspace, Capability.ACKNOWLEDGE_RUN)
    form = AcknowledgeForm(request.POST, workspace=run.workspace)
    if not form.is_valid():
        return _ask_again(request, form, run, "Acknowledge run")
    if OperationRunService().acknowledge_many([run], by=request.user, **form.cleaned_data):
        messages.success(request, "Run acknowledged. It no longer needs attention.")
        return redirect(run)
    run = _visible(request, run_id)
    if run.acknowledged_at:
        text = "The run was already acknowledged"
        by, at = run.acknowledged_by, run.acknowledged_at
        show_unchanged(request, text, run.workspace, by=by, at=at)
    else:
        messages.info(request, "This run does not need attention.")
    return redirect(run)


def _show_cancelled(request: Request, run: OperationRun, text: str) -> None:
    by, at = run.cancel_requested_by, run.cancel_requested_at
    show_unchanged(request, text, run.workspace, by=by, at=at)


def _ask_again(request: Request, form: Form, run: OperationRun, button: str) -> HttpResponse:
    return ask_again(
        request,
        form,
        workspace=run.workspace,
        section="runs",
        action=button,
        back=run.get_absolute_url(),
        back_title=f"Run #{run.pk}",
    )


def _visible(request: Request, run_id: int) -> OperationRun:
    runs = OperationRun.objects.visible_to(request.user).with_scope()
    return get_object_or_404(runs, pk=run_id)
