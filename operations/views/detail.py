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
from operations.presentation.queue_position import waiting_facts, why_waiting
from operations.states import ItemOutcome, RunOutcome
from operations.views.retention import removed_run
from redaction.json import sanitize_json
from tenancy.capabilities import capabilities_of
from tenancy.http import Request, page
from web.ids import parse_id
from web.live_section import asks_for, live_answer, live_section

ITEMS_ON_PAGE = 50
EVENTS_ON_PAGE = 100


@page
def run_detail(request: Request, run_id: int) -> HttpResponse:
    """The run's page; its two sections ask for themselves again while the run is active.

    A run that retention has removed is told of, with 410, to whoever could see it.
    """
    run = _visible(request).filter(pk=run_id).first()
    if run is None:
        return removed_run(request, run_id)
    seconds = 2 if run.is_active else 0
    parts = {"run-live": _now, "run-log": _log}
    templates = {"run-live": "operations/_run_live.html", "run-log": "operations/_run_log.html"}
    context = {"run": run, "workspace": run.workspace, "section": "runs"}
    sections = {}
    for part, facts in parts.items():
        if request.htmx and not asks_for(request, part):
            continue
        shown = context | facts(request, run)
        section = live_section(request, part, templates[part], shown, seconds=seconds)
        if asks_for(request, part):
            return live_answer(request, section)
        sections[part.replace("-", "_")] = section
    return render(request, "operations/run_detail.html", context | sections | _about(request, run))


@page
def run_log(request: Request, run_id: int) -> HttpResponseBase:
    """The whole timeline as a text file."""
    run = _visible(request).filter(pk=run_id).first()
    if run is None:
        return removed_run(request, run_id)
    response = StreamingHttpResponse(_log_lines(run), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="run-{run.pk}.txt"'
    return response


def _visible(request: Request) -> OperationRunQuerySet:
    runs = OperationRun.objects.visible_to(request.user).with_scope()
    return runs.select_related("user", "cancel_requested_by", "acknowledged_by", "retry_of")


# --- what changes while it runs ---------------------------------------------------------------------


def _now(request: Request, run: OperationRun) -> dict[str, Any]:
    """Its state in words and numbers, the causes of its failures, and what one may do."""
    usual = expectation(run)
    return {
        "story": summary.tell(run),
        "counts": run.counts,
        "change_counts": run.counts.changes,
        "waiting": why_waiting(waiting_facts(run)) if run.is_queued else "",
        "usual": usual,
        "is_slow": bool(usual and usual.is_slow(run.duration)),
        "may": _may(request, run),
    }


def _may(request: Request, run: OperationRun) -> dict[str, bool]:
    user, mine = request.user, capabilities_of(request.user, run.workspace)
    stoppable = run.is_active and run.cancel_requested_at is None
    repeatable = (
        run.catalog is not None
        and run.catalog.retry is not Retry.NEVER
        and not run.is_active
        and run.outcome != RunOutcome.SUCCEEDED
    )
    return {
        "cancel": stoppable and may_cancel(run, user, mine),
        "retry": repeatable and may_retry(run, user, mine),
        "acknowledge": run.needs_attention and may_acknowledge(run, user, mine),
    }


# --- items and timeline -----------------------------------------------------------------------------


def _log(request: Request, run: OperationRun) -> dict[str, Any]:
    return _items(request, run) | _events(request, run)


def _items(request: Request, run: OperationRun) -> dict[str, Any]:
    """A page of the items, by the id of the last one of the page before."""
    wanted = request.GET.get("items", "")
    after = request.GET.get("items_after", "")
    items = OperationRunItem.objects.filter(run=run).order_by("id")
    if wanted in ItemOutcome.values:
        items = items.filter(outcome=wanted)
    last_id = parse_id(after)
    if last_id is not None:
        items = items.filter(pk__gt=last_id)
    rows = list(items[: ITEMS_ON_PAGE + 1])
    more = len(rows) > ITEMS_ON_PAGE
    shown = rows[:ITEMS_ON_PAGE]
    return {
        "items": shown,
        "items_wanted": wanted if wanted in ItemOutcome.values else "",
        "items_started": bool(after),
        "items_next": shown[-1].pk if more else None,
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
    """The newest lines of the timeline, oldest of them first."""
    events = OperationRunEvent.objects.filter(run=run).order_by("-sequence")
    level = request.GET.get("level", "")
    if level == "warning":
        events = events.filter(level__in=(EventLevel.WARNING, EventLevel.ERROR))
    before = request.GET.get("before", "")
    if re.fullmatch(r"[0-9]{1,9}", before, re.ASCII):
        events = events.filter(sequence__lt=int(before))
    rows = list(events[: EVENTS_ON_PAGE + 1])
    shown = rows[:EVENTS_ON_PAGE][::-1]
    return {
        "events": shown,
        "events_level": level if level == "warning" else "",
        "events_earlier": shown[0].sequence if len(rows) > EVENTS_ON_PAGE else None,
        "events_paged": bool(before),
    }


def _log_lines(run: OperationRun) -> Iterator[str]:
    yield f"Run {run.pk}: {summary.subject(run)}\n"
    if run.details_removed_at:
        gone = run.details_removed_at.astimezone(dt.UTC).isoformat(timespec="seconds")
        yield f"The timeline was removed by retention at {gone}.\n"
    for event in run.events.order_by("sequence").iterator(chunk_size=500):
        at = event.at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
        yield f"{event.sequence}\t{at}\t{event.level}\t{event.kind}\t{event.message}\n"


# --- what stays as it was ---------------------------------------------------------------------------


def _about(request: Request, run: OperationRun) -> dict[str, Any]:
    """Where the run came from, what it was given, and what it has to do with other things."""
    return {
        "related": OperationRunLinks.related(run, request.user),
        "retries": OperationRun.objects.filter(retry_of=run).order_by("id")[:20],
        "joined": run.events.filter(kind="joined").count(),
        "inputs": _inputs(run),
    }


def _inputs(run: OperationRun) -> list[dict[str, Any]]:
    """The context by the labels of its known keys, redacted once more."""
    context = sanitize_json(run.context)
    if not isinstance(context, dict):
        return []
    known = [key for key in KNOWN_KEYS if key in context]
    others = sorted(key for key in context if key not in KNOWN_KEYS)
    return [
        {
            "label": KNOWN_KEYS[key].label if key in KNOWN_KEYS else key,
            "value": context[key],
            "is_json": isinstance(context[key], dict | list),
        }
        for key in [*known, *others]
    ]
