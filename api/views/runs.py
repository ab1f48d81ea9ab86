"""Read, start and change runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.core.exceptions import PermissionDenied
from django.http import Http404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from api.idempotency import Key, start_once
from api.paging import page_by_number
from api.problems import ApiError, FieldError, conflict, invalid, invalid_body
from api.requests import ApiRequest, ListParameters, filter_parameters, one_of
from api.schemas import MAX_ID, Body, Event, Item, Line, Listed, Run, example
from api.starts import Start, require_start, start_operation
from operations.filters import RunFilter
from operations.forms import AcknowledgeForm
from operations.models import EventLevel, OperationRun, OperationRunTombstone
from operations.permissions import may_acknowledge, may_cancel, may_retry
from operations.presentation.layout import DEFAULT_SORT, SORTS
from operations.services import (
    MAX_NOTE,
    MAX_REASON,
    DispatchResult,
    NotRetryable,
    OperationRunService,
    RunNoLongerActive,
)
from operations.states import ItemOutcome
from operations.types import OperationRunType
from operations.views.list_version import LIST_SECONDS
from operations.views.listing import build_run_filter
from redaction.text import sanitize_text
from tenancy.capabilities import capabilities_of
from web.statement_timeout import statement_timeout

router = Router(tags=["Runs"])
Started = {200: Run, 201: Run}


class _RunParameters(ListParameters):
    sort: Literal[tuple(SORTS)] = Field(DEFAULT_SORT, description="The order; a minus descends.")  # type: ignore[valid-type]


RunParameters: Any = filter_parameters("RunParameters", RunFilter, base=_RunParameters)


@router.get("runs", response=Listed[Run])
def run_list(request: ApiRequest, parameters: Query[RunParameters]) -> Listed[Run]:
    """List runs, newest first.

    The filters are those of the page, and combine with “and”. `tenant` and `cause` also take a name.
    """
    run_filter = build_run_filter(request, request.GET, request.workspace)
    if not run_filter.is_valid():
        raise invalid(
            [
                FieldError(location="query", name=name, message=str(message))
                for name, messages in run_filter.form.errors.items()
                for message in messages
            ]
        )
    sort = SORTS[parameters.sort]
    with statement_timeout(LIST_SECONDS):
        selection = run_filter.select(sort.order, only=sort.only)
        page = selection.page(
            selection.runs.select_related("tenant", "cancel_requested_by"),
            older=parameters.cursor,
            order=sort.order,
            size=parameters.limit,
        )
    for run in page.rows:
        run.workspace = request.workspace
    return Listed[Run](items=[Run.of(run) for run in page.rows], next=page.older or None)


@router.post("runs", response=Started)
def run_start(request: ApiRequest, body: Start, idempotency_key: Key = None) -> Status[Run]:
    """Start an operation.

    The answer is 201 with the new run, or 200 with the run that is already active or that the key
    started. `GET operations` lists the types and what each of them needs.
    """
    require_start(request, OperationRunType(body.type))
    result = start_once(
        request, idempotency_key, lambda submission: start_operation(request, body, submission)
    )
    return started(result)


@router.get("runs/{int:run_id}", response=Run)
def run_detail(request: ApiRequest, run_id: int) -> Run:
    """Get a run. The answer is 410 if retention has removed it."""
    return Run.of(run_or_404(request, run_id))


class EventParameters(Schema):
    after: int = Field(0, ge=0, le=MAX_ID, description="Only lines with a higher sequence.")
    limit: int = Field(200, ge=1, le=500, description="The number of lines.")
    level: one_of(EventLevel.choices) = Field(None, description="Only lines of this level.")  # type: ignore[valid-type]


class Events(Schema):
    """Lines of a log. To follow it, ask again with `after` until the run is completed."""

    items: list[Event]
    next: int | None = Field(
        description="The value of `after` for the next lines; null on the last."
    )


@router.get("runs/{int:run_id}/events", response=Events)
def run_events(request: ApiRequest, run_id: int, parameters: Query[EventParameters]) -> Events:
    """List the lines of the log of a run in their order."""
    run = run_or_404(request, run_id)
    lines = run.events.filter(sequence__gt=min(parameters.after, 2**31 - 1)).order_by("sequence")
    if parameters.level:
        lines = lines.filter(level=parameters.level)
    rows = list(lines[: parameters.limit + 1])
    shown = rows[: parameters.limit]
    has_more = len(rows) > parameters.limit
    return Events(
        items=[Event.of(event) for event in shown],
        next=shown[-1].sequence if has_more else None,
    )


class ItemParameters(ListParameters):
    outcome: one_of(ItemOutcome.choices) = Field(None, description="Only items with this outcome.")  # type: ignore[valid-type]
    reason: str = Field("", max_length=64, description="Only items with the reason of this code.")


@router.get("runs/{int:run_id}/items", response=Listed[Item])
def run_items(request: ApiRequest, run_id: int, parameters: Query[ItemParameters]) -> Listed[Item]:
    """List the objects that a run processed.

    Unchanged objects are only counted. The items of a backup set are all of its objects.
    """
    items = run_or_404(request, run_id).items.all()
    if parameters.outcome:
        items = items.filter(outcome=parameters.outcome)
    if parameters.reason:
        items = items.filter(reason_code=parameters.reason.replace("\0", "\ufffd"))
    return page_by_number(items, parameters, Item.of)


class Cancel(Body):
    model_config = example(reason="Maintenance")

    reason: Annotated[Line, Field(max_length=MAX_REASON)] = ""


@router.post("runs/{int:run_id}/cancel", response=Run)
def run_cancel(request: ApiRequest, run_id: int, body: Cancel | None = None) -> Run:
    """Cancel a run. A queued run ends at once; a running run stops after the current item."""
    run = run_or_404(request, run_id)
    if not may_cancel(run, request.user, capabilities_of(request.user, request.workspace)):
        raise PermissionDenied("The role of the token does not allow to cancel this run.")
    reason = sanitize_text(body.reason.strip() if body else "", max_length=MAX_REASON)
    try:
        run = OperationRunService().request_cancel(run, by=request.user, reason=reason)
    except RunNoLongerActive:
        raise conflict("The run has already ended.", "run_ended") from None
    return Run.of(run)


@router.post("runs/{int:run_id}/retry", response=Started)
def run_retry(request: ApiRequest, run_id: int, idempotency_key: Key = None) -> Status[Run]:
    """Retry what a run did not complete, as a new run."""
    run = _repeatable(request, run_id)
    return _repeat(
        request,
        idempotency_key,
        lambda submission: OperationRunService().retry(run, by=request.user, submission=submission),
    )


@router.post("runs/{int:run_id}/run-again", response=Started)
def run_again(request: ApiRequest, run_id: int, idempotency_key: Key = None) -> Status[Run]:
    """Start a run with the inputs of a succeeded run."""
    run = _repeatable(request, run_id)
    return _repeat(
        request,
        idempotency_key,
        lambda submission: OperationRunService().run_again(
            run, by=request.user, submission=submission
        ),
    )


class Acknowledge(Body):
    model_config = example(note="Ticket 4711", assignee="olga")

    note: Annotated[Line, Field(max_length=MAX_NOTE)] = ""
    assignee: Annotated[
        str | None, Field(max_length=150, description="The user name of a member.")
    ] = None


@router.post("runs/{int:run_id}/acknowledge", response=Run)
def run_acknowledge(request: ApiRequest, run_id: int, body: Acknowledge | None = None) -> Run:
    """Remove a run from “Needs attention”, with an optional note and assignee."""
    body = body or Acknowledge()
    run = run_or_404(request, run_id)
    if not may_acknowledge(run, request.user, capabilities_of(request.user, request.workspace)):
        raise PermissionDenied("The role of the token does not allow to acknowledge runs.")
    if not run.is_acknowledgeable:
        raise conflict("This run does not need attention.", "not_acknowledgeable")
    assignees: Any = AcknowledgeForm(workspace=request.workspace).fields["assignee"]
    assignee = None
    if body.assignee is not None:
        assignee = assignees.queryset.filter(username=body.assignee.replace("\0", "")).first()
        if assignee is None:
            message = "No member of the workspace has this user name."
            raise invalid_body(message, name="assignee")
    acknowledged = OperationRunService().acknowledge_many(
        [run], by=request.user, note=body.note.strip(), assignee=assignee
    )
    if not acknowledged:
        # Another request has acknowledged it, or a later run has recovered it, at the same time.
        raise conflict("This run does not need attention.", "not_acknowledgeable")
    return Run.of(run_or_404(request, run_id))


def run_or_404(request: ApiRequest, run_id: int) -> OperationRun:
    """Return a run of the token's workspace.

    Raises:
        ApiError: retention has removed it.
        Http404: there is no such run, or it belongs to another workspace.
    """
    runs = OperationRun.objects.visible_to(request.user).select_related(
        "tenant", "cancel_requested_by"
    )
    run = runs.filter(workspace=request.workspace, pk=run_id).first()
    if run is not None:
        run.workspace = request.workspace
        return run
    removed = OperationRunTombstone.objects.visible_to(request.user)
    if removed.filter(workspace=request.workspace, pk=run_id).exists():
        raise ApiError(410, "run_removed")
    raise Http404


def started(result: DispatchResult) -> Status[Run]:
    """Return the answer to a start: 201 for a new run, 200 for an earlier one."""
    return Status(201 if result.created else 200, Run.of(result.run))


def _repeatable(request: ApiRequest, run_id: int) -> OperationRun:
    run = run_or_404(request, run_id)
    if not may_retry(run, request.user, capabilities_of(request.user, request.workspace)):
        raise PermissionDenied("The role of the token does not allow to start this operation.")
    require_start(request, OperationRunType(run.type))
    return run


def _repeat(request: ApiRequest, key: str | None, start: Any) -> Status[Run]:
    try:
        return started(start_once(request, key, start))
    except NotRetryable as error:
        raise conflict(str(error), "not_retryable") from None
