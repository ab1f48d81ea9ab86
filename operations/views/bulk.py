"""Cancel, retry or acknowledge many runs: the selected ones, or all that match the filter.

Each run goes through the same service and permission check as its own button; the message counts
the results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from operations.models import OperationRun
from operations.permissions import may_acknowledge, may_cancel, may_retry
from operations.services import (
    DispatchResult,
    OperationRunService,
    RunNoLongerActive,
)
from operations.views.listing import LIST_SECONDS, MAX_BULK, build_run_filter, filter_query
from operations.views.start import submission_of
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.http import Request, action, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability
from web.ids import parse_ids
from web.statement_timeout import TookTooLong, statement_timeout

#: Runs that are dispatched in one transaction.
BATCH_SIZE = 50
MAX_QUERY = 2_000
NOT_PERMITTED = "not permitted"
NOT_FOUND = "not found"
#: The result of each run, in the order of the message.
RESULTS = (
    *("cancelled", "stopping", "retried", "acknowledged"),
    *("already being retried", "already ended", "not retryable", "without need for attention"),
    *(NOT_PERMITTED, NOT_FOUND),
)

Runs = list[OperationRun]
BulkAction = Callable[[Request, Runs], Iterable[str]]


class SelectionError(Exception):
    """The selection is not valid; the message says why."""


@action
def run_cancel_many(request: Request, slug: str) -> HttpResponse:
    """Cancel the selected runs."""
    return _run_bulk_action(request, slug, Capability.CANCEL_OWN_RUN, may_cancel, _cancel)


@action
def run_retry_many(request: Request, slug: str) -> HttpResponse:
    """Retry the selected runs."""
    return _run_bulk_action(request, slug, Capability.RETRY_RUN, may_retry, retry_runs)


@action
def run_acknowledge_many(request: Request, slug: str) -> HttpResponse:
    """Remove the selected runs from “Needs attention”."""
    return _run_bulk_action(
        request, slug, Capability.ACKNOWLEDGE_RUN, may_acknowledge, _acknowledge
    )


def _run_bulk_action(
    request: Request,
    slug: str,
    needs: Capability,
    may: Callable[..., bool],
    bulk_action: BulkAction,
) -> HttpResponse:
    workspace = workspace_or_404(request, slug)
    allowed = capabilities_of(request.user, workspace)
    require_capability(request.user, workspace, needs)
    try:
        runs, missing = _selected(request, workspace)
    except SelectionError as error:
        messages.warning(request, str(error))
        return _redirect_to_list(request, workspace)
    permitted = [run for run in runs if may(run, request.user, allowed)]
    counts = Counter(bulk_action(request, permitted))
    counts[NOT_PERMITTED] += len(runs) - len(permitted)
    counts[NOT_FOUND] += missing
    messages.info(request, describe_results(counts))
    return _redirect_to_list(request, workspace)


def describe_results(counts: Mapping[str, int]) -> str:
    """Return the message that counts the results of a bulk action."""
    results = ", ".join(f"{counts[result]} {result}" for result in RESULTS if counts.get(result))
    return f"Runs: {results}." if results else "No runs were changed."


def _redirect_to_list(request: Request, workspace: Workspace) -> HttpResponseRedirect:
    """Redirect to the list with its filters."""
    query = filter_query(_query(request)).urlencode()
    address = reverse("run_list", args=[workspace.slug])
    return HttpResponseRedirect(f"{address}?{query}" if query else address)


# --- selection -------------------------------------------------------------------------------------


def _selected(request: Request, workspace: Workspace) -> tuple[Runs, int]:
    """The selected runs, newest first, and the number of requested runs that do not exist.

    Raises:
        SelectionError: no run, too many runs, or an invalid filter.
    """
    if request.POST.get("all") == "1":
        return _matching(request, workspace), 0
    ids = set(parse_ids(request.POST.getlist("run")))
    if not ids:
        raise SelectionError("No runs are selected. Select runs and try again.")
    if len(ids) > MAX_BULK:
        raise SelectionError(f"Select at most {MAX_BULK} runs at a time.")
    visible = OperationRun.objects.visible_to(request.user).filter(workspace=workspace)
    runs = list(visible.filter(pk__in=ids).with_scope().newest_first())
    return runs, len(ids) - len(runs)


def _matching(request: Request, workspace: Workspace) -> Runs:
    """The newest runs that match the filter of the list now."""
    run_filter = build_run_filter(request, _query(request), workspace)
    if not run_filter.is_valid():
        raise SelectionError("The filter is not valid. Nothing was changed.")
    try:
        with statement_timeout(LIST_SECONDS):
            runs = list(run_filter.qs.with_scope().newest_first()[:MAX_BULK])
    except TookTooLong:
        raise SelectionError("The search took too long. Narrow the filter.") from None
    if not runs:
        raise SelectionError("No runs match the filter.")
    return runs


def _query(request: Request) -> QueryDict:
    """The filter of the list that contains the form."""
    return QueryDict(request.POST.get("filter", "")[:MAX_QUERY])


# --- actions -----------------------------------------------------------------------------------


def _cancel(request: Request, runs: Runs) -> Iterable[str]:
    for run in runs:
        try:
            cancelled = OperationRunService().request_cancel(run, by=request.user)
        except RunNoLongerActive:
            yield "already ended"
        else:
            yield "stopping" if cancelled.is_active else "cancelled"


def retry_runs(request: Request, runs: Runs) -> Iterable[str]:
    """Retry each run; yield the result of each."""
    service, submission = OperationRunService(), submission_of(request)
    for start in range(0, len(runs), BATCH_SIZE):
        batch = runs[start : start + BATCH_SIZE]
        for result in service.retry_many(batch, by=request.user, submission=submission):
            if isinstance(result, DispatchResult):
                yield "retried" if result.created else "already being retried"
            else:
                yield "not retryable"


def _acknowledge(request: Request, runs: Runs) -> Iterable[str]:
    acknowledged = OperationRunService().acknowledge_many(runs, by=request.user)
    for run in runs:
        yield "acknowledged" if run.pk in acknowledged else "without need for attention"
