"""The canonical page of a run: `/runs/<id>/`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from operations.catalog import Retry
from operations.context import KNOWN_KEYS
from operations.counts import Counts
from operations.forms import AcknowledgeForm
from operations.links import OperationRunLinks
from operations.models import (
    EventLevel,
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunQuerySet,
)
from operations.permissions import may_acknowledge, may_cancel, may_retry
from operations.presentation import summary
from operations.presentation.expected_duration import expectation
from operations.presentation.queue_position import describe_queue_position, load_queue_position
from operations.states import ItemOutcome, RunOutcome
from operations.views.retention import show_removed_run
from redaction.json import sanitize_json
from tenancy.capabilities import capabilities_of
from tenancy.http import Request, page
from web.ids import parse_id
from web.live_section import asks_for, live_answer, live_section

ITEMS_ON_PAGE = 50
EVENTS_ON_PAGE = 100
#: The number of events that the text file reads at a time.
EVENTS_READ = 500


@page
def run_detail(request: Request, run_id: int) -> HttpResponse:
    """The page of a run; its two sections refresh while the run is active.

    For a run that retention has removed, members get a page with status 410.
    """
    run = _visible(request).filter(pk=run_id).first()
    if run is None:
        return show_removed_run(request, run_id)
    seconds = 2 if run.is_active else 0
    parts = {"run-live": _state, "run-log": _log}
    templates = {"run-live": "operations/_run_live.html", "run-log": "operations/_run_log.html"}
    context = {"run": run, "workspace": run.workspace, "section": "runs"}
    sections = {}
    for part, facts in parts.items():
        if request.htmx and not asks_for(request, part):
            continue
        part_context = context | facts(request, run)
        section = live_section(request, part, templates[part], part_context, seconds=seconds)
        if asks_for(request, part):
            return live_answer(request, section)
        sections[part.replace("-", "_")] = section
    return render(request, "operations/run_detail.html", context | sections | _about(request, run))


@page
def run_log(request: Request, run_id: int) -> HttpResponseBase:
    """The whole timeline as a text file."""
    run = _visible(request).filter(pk=run_id).first()
    if run is None:
        return show_removed_run(request, run_id)
    response = StreamingHttpResponse(_log_lines(run), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="run-{run.pk}.txt"'
    return response


def _visible(request: Request) -> OperationRunQuerySet:
    runs = OperationRun.objects.visible_to(request.user).with_scope()
    return runs.select_related(
        "user", "cancel_requested_by", "acknowledged_by", "assigned_to", "retry_of"
    )


# --- state section ---------------------------------------------------------------------


def _state(request: Request, run: OperationRun) -> dict[str, Any]:
    """The summary and counts of the run, its failures, and its buttons."""
    usual = expectation(run)
    can = _permitted_actions(request, run)
    return {
        "summary": summary.summarize(run),
        "counts": run.counts,
        "change_counts": run.counts.changes,
        "waiting": describe_queue_position(load_queue_position(run)) if run.is_queued else "",
        "usual": usual,
        "is_slow": bool(usual and usual.is_slow(run.duration)),
        "can": can,
        "acknowledge": AcknowledgeForm(workspace=run.workspace) if can["acknowledge"] else None,
    }


def _permitted_actions(request: Request, run: OperationRun) -> dict[str, bool]:
    user, allowed = request.user, capabilities_of(request.user, run.workspace)
    is_cancellable = run.is_active and run.cancel_requested_at is None
    is_retryable = (
        run.catalog is not None
        and run.catalog.retry is not Retry.NEVER
        and not run.is_active
        and run.outcome != RunOutcome.SUCCEEDED
        and run.recovered_at is None
    )
    return {
        "cancel": is_cancellable and may_cancel(run, user, allowed),
        "retry": is_retryable and may_retry(run, user, allowed),
        "acknowledge": run.is_acknowledgeable and may_acknowledge(run, user, allowed),
    }


# --- log section: items and timeline -----------------------------------------------------------------------------


def _log(request: Request, run: OperationRun) -> dict[str, Any]:
    return _items(request, run) | _events(request, run)


def _items(request: Request, run: OperationRun) -> dict[str, Any]:
    """A page of items, starting after the last item of the page before."""
    outcome = request.GET.get("items", "")
    if outcome not in ItemOutcome.values:
        outcome = ""
    after = request.GET.get("items_after", "")
    items = OperationRunItem.objects.filter(run=run).order_by("id")
    if outcome:
        items = items.filter(outcome=outcome)
    last_id = parse_id(after)
    if last_id is not None:
        items = items.filter(pk__gt=last_id)
    rows = list(items[: ITEMS_ON_PAGE + 1])
    has_more = len(rows) > ITEMS_ON_PAGE
    items_on_page = rows[:ITEMS_ON_PAGE]
    return {
        "items": items_on_page,
        "items_outcome": outcome,
        "items_paged": bool(after),
        "items_next": items_on_page[-1].pk if has_more else None,
        "item_filters": _item_filters(run.counts),
    }


def _item_filters(counts: Counts) -> list[tuple[str, str, int]]:
    return [
        ("", "All", counts.processed),
        (ItemOutcome.FAILED, "Failed", counts.failed),
        (ItemOutcome.SKIPPED, "Skipped", counts.skipped),
        (ItemOutcome.SUCCEEDED, "Succeeded", counts.succeeded),
    ]


def _events(request: Request, run: OperationRun) -> dict[str, Any]:
    """The newest events of the timeline, in chronological order."""
    events = OperationRunEvent.objects.filter(run=run).order_by("-sequence")
    level = request.GET.get("level", "")
    if level == "warning":
        events = events.filter(level__in=(EventLevel.WARNING, EventLevel.ERROR))
    before = request.GET.get("before", "")
    if re.fullmatch(r"[0-9]{1,9}", before, re.ASCII):
        events = events.filter(sequence__lt=int(before))
    rows = list(events[: EVENTS_ON_PAGE + 1])
    events_on_page = rows[:EVENTS_ON_PAGE][::-1]
    return {
        "events": events_on_page,
        "events_level": level if level == "warning" else "",
        "events_earlier": events_on_page[0].sequence if len(rows) > EVENTS_ON_PAGE else None,
        "events_paged": bool(before),
    }


def _log_lines(run: OperationRun) -> Iterator[str]:
    yield f"Run {run.pk}: {summary.subject(run)}\n"
    if run.details_removed_at:
        removed_at = run.details_removed_at.astimezone(dt.UTC).isoformat(timespec="seconds")
        yield f"Retention removed the timeline at {removed_at}.\n"
    last = 0
    # Page by page: no query and no transaction stays open while the client reads.
    while events := list(run.events.filter(sequence__gt=last).order_by("sequence")[:EVENTS_READ]):
        for event in events:
            at = event.at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
            yield f"{event.sequence}\t{at}\t{event.level}\t{event.kind}\t{event.message}\n"
        last = events[-1].sequence


# --- facts that do not change ---------------------------------------------------------------------------


def _about(request: Request, run: OperationRun) -> dict[str, Any]:
    """The related objects, the retries and the inputs of the run."""
    return {
        "related": OperationRunLinks.related(run, request.user),
        "retries": OperationRun.objects.filter(retry_of=run).order_by("id")[:20],
        "deduplicated_requests": run.events.filter(kind="joined").count(),
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
            "is_json": isinstance(context[key], dict | list),
        }
        for key in keys
    ]
