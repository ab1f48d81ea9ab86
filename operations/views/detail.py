"""The canonical page of a run: `/runs/<id>/`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpResponse
from django.shortcuts import render
from django.template.context_processors import csrf

from audit.models import AuditEntry
from operations.catalog import Retry
from operations.context import KNOWN_KEYS
from operations.forms import AcknowledgeForm
from operations.links import OperationRunLinks
from operations.models import OperationRun, OperationRunEvent, OperationRunItem
from operations.permissions import may_acknowledge, may_cancel, may_retry
from operations.presentation import summary
from operations.presentation.comparison import compare, load_related
from operations.presentation.expected_duration import expectation, expected_end
from operations.presentation.markup import indented_json
from operations.presentation.queue_position import describe_queue_position, load_queue_position
from operations.presentation.queue_workers import load_blocking_run, load_queue_workers
from operations.presentation.stages import load_timeline
from operations.reasons import get_reason
from operations.states import ItemOutcome, RunOutcome
from operations.views.retention import show_removed_run
from operations.views.run_log import LogFilter, log_page, log_tail
from redaction.json import sanitize_json
from tenancy.capabilities import capabilities_of_role, role_in
from tenancy.clock import request_now
from tenancy.http import Request, page
from tenancy.models import User
from tenancy.prepared import ANY_ID, ANY_USER, PreparedQuery
from tenancy.versions import build_version, column_names
from web.ids import parse_id
from web.live_section import asks_for, has_seen, live_answer, live_section, unchanged

ITEMS_ON_PAGE = 50
#: The page of an active run refreshes at this interval.
LIVE_SECONDS = 2
#: The section with the state of the run, which refreshes.
PART = "run-live"


@page
def run_detail(request: Request, run_id: int) -> HttpResponse:
    """The page of a run; while the run is active, its state refreshes and its log grows.

    For a run that retention has removed, members get a page with status 410.
    """
    run = next(iter(_visible(is_staff=request.user.is_staff).load(request.user.pk, run_id)), None)
    if run is None:
        return show_removed_run(request, run_id)
    context = {"run": run, "workspace": run.workspace, "section": "runs"}
    if asks_for(request, "log-tail"):
        return log_tail(request, run)
    seconds, log = LIVE_SECONDS if run.is_active else 0, LogFilter.of(request)
    waiting, version = _waiting(run), ""
    if run.is_active:
        version = build_version(request, run.workspace, *_facts(run, waiting))
        if has_seen(request, PART, version):
            return unchanged()
    is_page = not asks_for(request, PART)
    newest = log.newest if is_page else 0
    timeline, line_counts = load_timeline(run, log.levels, log.text, newest=newest)
    # One token for the forms of the section and those of the page.
    context |= {"timeline": timeline, "line_counts": line_counts, **csrf(request)}
    facts = waiting | _state(request, run) | _items(request, run) | _about(request, run)
    live = live_section(
        request,
        PART,
        "operations/_run_live.html",
        context | facts,
        seconds=seconds,
        version=version,
    )
    if not is_page:
        return live_answer(request, live)
    return render(
        request,
        "operations/run_detail.html",
        context
        | {"run_live": live, "now": request_now()}
        | log_page(request, run, log, line_counts.newest),
    )


@cache
def _visible(*, is_staff: bool) -> PreparedQuery[OperationRun]:
    """The run that a page shows, with its related objects; planning their joins takes as long."""
    user = User(pk=ANY_USER, is_staff=is_staff)
    lines = OperationRunEvent.objects.filter(run=OuterRef("pk")).order_by("-sequence")
    entries = AuditEntry.objects.filter(workspace=OuterRef("workspace")).newest_first()
    runs = OperationRun.objects.visible_to(user).with_scope()
    runs = runs.annotate(
        role=role_in(user),
        last_line=Subquery(lines.values("sequence")[:1]),
        last_entry=Subquery(entries.values("pk")[:1]),
    )
    runs = runs.select_related("cancel_requested_by", "acknowledged_by", "assigned_to", "retry_of")
    return PreparedQuery(runs.filter(pk=ANY_ID), [ANY_USER, ANY_ID])


# --- version ---------------------------------------------------------------------------------


def _facts(run: Any, waiting: Mapping[str, Any]) -> list[object]:
    """What changes whenever the section of an active run does.

    Each report of its worker changes the row. The names of other objects are configuration, of which
    every change has an entry in the audit log.
    """
    fields = [getattr(run, name) for name in column_names(run)]
    facts: list[object] = [fields, run.role, run.last_line, run.last_entry, run.lease_expired]
    people = (run.cancel_requested_by, run.acknowledged_by, run.assigned_to)
    facts += [person.username for person in people if person]
    if workers := waiting["queue_workers"]:
        ends = [(busy.run.pk, _minute(busy.ends_at)) for busy in workers.runs]
        facts += [workers.busy, ends, _minute(workers.free_at), workers.last_claim]
    return [*facts, waiting["waiting"]]


def _minute(moment: dt.datetime | None) -> dt.datetime | None:
    """The minute in which a page shows an expected end (the tag `expected_end`)."""
    return moment and (moment + dt.timedelta(seconds=30)).replace(second=0, microsecond=0)


# --- state section ---------------------------------------------------------------------


def _waiting(run: OperationRun) -> dict[str, Any]:
    """Why a queued run has not started, and the workers of its queue."""
    if not run.is_queued:
        return {"waiting": "", "queue_workers": None}
    return {
        "waiting": describe_queue_position(load_queue_position(run)),
        "queue_workers": load_queue_workers(run),
    }


def _state(request: Request, run: OperationRun) -> dict[str, Any]:
    """The summary and counts of the run, its failures, and its buttons."""
    usual = expectation(run) if run.started_at else None
    can = _permitted_actions(request, run)
    return {
        "summary": summary.summarize(run),
        "counts": run.counts,
        "blocking_run": load_blocking_run(run) if run.outcome == RunOutcome.BLOCKED else None,
        "usual": usual,
        "ends_at": expected_end(run, usual),
        "is_slow": bool(usual and usual.is_slow(run.duration)),
        "can": can,
        "acknowledge": AcknowledgeForm(workspace=run.workspace) if can["acknowledge"] else None,
    }


def _permitted_actions(request: Request, run: Any) -> dict[str, bool]:
    user, allowed = request.user, capabilities_of_role(run.role)
    is_cancellable = run.is_active and run.cancel_requested_at is None
    is_repeatable = (
        run.catalog is not None and run.catalog.retry is not Retry.NEVER and not run.is_active
    )
    has_succeeded = run.outcome == RunOutcome.SUCCEEDED
    is_retryable = is_repeatable and not has_succeeded and run.recovered_at is None
    return {
        "cancel": is_cancellable and may_cancel(run, user, allowed),
        "retry": is_retryable and may_retry(run, user, allowed),
        "repeat": is_repeatable and has_succeeded and may_retry(run, user, allowed),
        "acknowledge": run.is_acknowledgeable and may_acknowledge(run, user, allowed),
    }


# --- items -------------------------------------------------------------------------------------


def _items(request: Request, run: OperationRun) -> dict[str, Any]:
    """A page of items, starting after the last item of the page before."""
    outcome, reason = request.GET.get("items", ""), request.GET.get("reason", "")
    if outcome not in ItemOutcome.values:
        outcome = ""
    if reason not in [failure["code"] for failure in run.failure_summary]:
        reason = ""
    after = request.GET.get("items_after", "")
    if run.started_at is None:
        return {"items": []}
    last_id = parse_id(after)
    is_filtered = bool(outcome or reason or last_id is not None)
    if is_filtered:
        items = _items_of(run.pk)
        if outcome:
            items = items.filter(outcome=outcome)
        if reason:
            items = items.filter(reason_code=reason)
        if last_id is not None:
            items = items.filter(pk__gt=last_id)
        rows: list[Any] = list(items[: ITEMS_ON_PAGE + 1])
    else:
        rows = _first_items().load(run.pk)
    has_more = len(rows) > ITEMS_ON_PAGE
    items_on_page = rows[:ITEMS_ON_PAGE]
    counts = rows[0].row_counts if rows else {}
    if is_filtered and not rows:
        counts = dict(run.items.order_by().values_list("outcome").annotate(Count("pk")))
    return {
        "items": items_on_page,
        "items_outcome": outcome,
        "items_paged": bool(after),
        "items_next": items_on_page[-1].pk if has_more else None,
        "items_reason": get_reason(reason).label if reason else "",
        "item_count": sum(counts.values()),
        "item_filters": _item_filters(counts),
    }


@cache
def _first_items() -> PreparedQuery[OperationRunItem]:
    return PreparedQuery(_items_of(ANY_ID)[: ITEMS_ON_PAGE + 1], [ANY_ID])


def _items_of(run_id: int) -> QuerySet[OperationRunItem]:
    """The items of a run, each with the number of all items of each outcome."""
    by_outcome = {
        outcome.value: Count("pk", filter=Q(outcome=outcome.value)) for outcome in ItemOutcome
    }
    items = OperationRunItem.objects.filter(run=run_id)
    counted = items.order_by().values("run").annotate(counts=JSONObject(**by_outcome))
    return items.order_by("id").annotate(row_counts=Subquery(counted.values("counts")))


def _item_filters(counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Each filter with the number of its rows; some items are counted by the run only."""
    outcomes = (ItemOutcome.FAILED, ItemOutcome.SKIPPED, ItemOutcome.SUCCEEDED)
    filters = [(outcome.value, outcome.label, counts.get(outcome.value, 0)) for outcome in outcomes]
    return [("", "All", sum(counts.values())), *filters]


# --- side panel --------------------------------------------------------------------------------


def _about(request: Request, run: OperationRun) -> dict[str, Any]:
    """The related objects, the retries and the inputs of the run, and what changed since the last."""
    retries, previous = ([], None) if run.is_active else load_related(run)
    return {
        "related": OperationRunLinks.related(run, request.user),
        "retries": retries,
        "comparison": compare(run, previous) if previous and run.started_at else None,
        "inputs": _inputs(run),
    }


def _inputs(run: OperationRun) -> list[dict[str, Any]]:
    """The run context with the labels of its known keys, redacted again before it is shown."""
    context = sanitize_json(run.context)
    if not isinstance(context, dict):
        return []
    keys = [key for key in KNOWN_KEYS if key in context]
    keys += sorted(key for key in context if key not in KNOWN_KEYS)
    return [
        {
            "label": KNOWN_KEYS[key].label if key in KNOWN_KEYS else key,
            "value": context[key],
            "json": indented_json(context[key]) if isinstance(context[key], dict | list) else "",
        }
        for key in keys
    ]
