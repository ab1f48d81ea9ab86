"""The same for many runs at once: what is ticked, or everything that the filter matches.

Each run goes through the same service and the same rule as its own button; what could not be done
is counted in the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from operations.models import OperationRun
from operations.permissions import may_acknowledge, may_cancel, may_retry
from operations.services import (
    DispatchResult,
    OperationRunService,
    RunNoLongerActive,
)
from operations.views.listing import LIST_SECONDS, MAX_BULK, filtered, kept_query
from operations.views.start import submission_of
from tenancy.capabilities import capabilities_of
from tenancy.http import Request, action, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability
from web.ids import parse_ids
from web.statement_timeout import TookTooLong, statement_timeout

#: So many runs are dispatched in one transaction.
AT_ONCE = 50
MAX_QUERY = 2_000
NOT_ALLOWED = "not allowed"
GONE = "not there any more"
#: What became of a run, in the order in which it is told.
ANSWERS = (
    *("cancelled", "asked to stop", "retried", "acknowledged"),
    *("being retried already", "had ended already", "not to be retried", "needed no attention"),
    *(NOT_ALLOWED, GONE),
)

Runs = list[OperationRun]
Does = Callable[[Request, Runs], Iterable[str]]


class SelectionRefused(Exception):
    """The selection cannot be worked on; the text says why."""


@action
def run_cancel_many(request: Request, slug: str) -> HttpResponse:
    """Ask the selected runs to stop."""
    return _answer(request, slug, {Capability.CANCEL_OWN_RUN}, may_cancel, _cancel)


@action
def run_retry_many(request: Request, slug: str) -> HttpResponse:
    """Do again what the selected runs did not get done."""
    return _answer(request, slug, {Capability.RETRY_RUN}, may_retry, _retry)


@action
def run_acknowledge_many(request: Request, slug: str) -> HttpResponse:
    """Take the selected runs out of “needs attention”."""
    return _answer(request, slug, {Capability.ACKNOWLEDGE_RUN}, may_acknowledge, _acknowledge)


def _answer(
    request: Request, slug: str, needs: set[Capability], may: Callable[..., bool], does: Does
) -> HttpResponse:
    workspace = workspace_or_404(request, slug)
    mine = capabilities_of(request.user, workspace)
    if not needs <= mine:
        raise PermissionDenied("Your role does not include this.")
    try:
        runs, missing = _selected(request, workspace)
    except SelectionRefused as refused:
        messages.warning(request, str(refused))
        return _back(request, workspace)
    allowed = [run for run in runs if may(run, request.user, mine)]
    done = Counter(does(request, allowed))
    done[NOT_ALLOWED] += len(runs) - len(allowed)
    done[GONE] += missing
    _tell(request, done)
    return _back(request, workspace)


def _tell(request: Request, done: Counter[str]) -> None:
    told = [f"{done[answer]} {answer}" for answer in ANSWERS if done[answer]]
    messages.info(request, f"{', '.join(told)}.")


def _back(request: Request, workspace: Workspace) -> HttpResponseRedirect:
    """To the list with the filters that it had."""
    query = kept_query(_query(request)).urlencode()
    address = reverse("run_list", args=[workspace.slug])
    return HttpResponseRedirect(f"{address}?{query}" if query else address)


# --- which runs -------------------------------------------------------------------------------------


def _selected(request: Request, workspace: Workspace) -> tuple[Runs, int]:
    """The runs, newest first, and how many were asked for and are not there (any more).

    Raises:
        SelectionRefused: nothing, too much, or a filter that makes no sense.
    """
    if request.POST.get("all") == "1":
        return _matching(request, workspace), 0
    wanted = set(parse_ids(request.POST.getlist("run")))
    if not wanted:
        raise SelectionRefused("Nothing was selected. Tick the runs first.")
    if len(wanted) > MAX_BULK:
        raise SelectionRefused(f"Select at most {MAX_BULK} runs at a time.")
    own = OperationRun.objects.visible_to(request.user).filter(workspace=workspace)
    runs = list(own.filter(pk__in=wanted).with_scope().newest_first())
    return runs, len(wanted) - len(runs)


def _matching(request: Request, workspace: Workspace) -> Runs:
    """What the filter of the list matches now, the newest of it."""
    found = filtered(request, _query(request), workspace)
    if not found.is_valid():
        raise SelectionRefused("The filter could not be used, so nothing was done.")
    try:
        with statement_timeout(LIST_SECONDS):
            runs = list(found.qs.with_scope().newest_first()[:MAX_BULK])
    except TookTooLong:
        raise SelectionRefused("Too much to look through. Narrow the filter.") from None
    if not runs:
        raise SelectionRefused("No run matches the filter any more.")
    return runs


def _query(request: Request) -> QueryDict:
    """The filter of the list that the form stood on."""
    return QueryDict(request.POST.get("filter", "")[:MAX_QUERY])


# --- what is done -----------------------------------------------------------------------------------


def _cancel(request: Request, runs: Runs) -> Iterable[str]:
    for run in runs:
        try:
            cancelled = OperationRunService().request_cancel(run, by=request.user)
        except RunNoLongerActive:
            yield "had ended already"
        else:
            yield "asked to stop" if cancelled.is_active else "cancelled"


def _retry(request: Request, runs: Runs) -> Iterable[str]:
    service, submission = OperationRunService(), submission_of(request)
    for start in range(0, len(runs), AT_ONCE):
        some = runs[start : start + AT_ONCE]
        for result in service.retry_many(some, by=request.user, submission=submission):
            if isinstance(result, DispatchResult):
                yield "retried" if result.created else "being retried already"
            else:
                yield "not to be retried"


def _acknowledge(request: Request, runs: Runs) -> Iterable[str]:
    for run in runs:
        if run.needs_attention:
            OperationRunService().acknowledge(run, by=request.user)
            yield "acknowledged"
        else:
            yield "needed no attention"
