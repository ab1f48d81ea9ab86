"""The log of a run: every event as a numbered line, on its page and as a text file.

Pages follow the sequence of the lines. While the run is active, the page asks for the lines after
its last one, so that what has been read stays in place.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from operations.models import EventLevel, OperationRun, OperationRunEvent
from operations.presentation import summary
from operations.presentation.stages import EventRow, load_timeline
from operations.views.retention import show_removed_run
from tenancy.filtering import ListFilter
from tenancy.http import Request, page

LINES_ON_PAGE = 200
#: The most lines that are added to the page at a time.
LINES_ADDED = 500
#: The number of lines that the text file reads at a time.
LINES_READ = 500
#: The parameters of the page that a search of the log keeps.
KEPT = ("items", "reason", "items_after", "level")
#: The levels that each filter shows.
LEVELS = {
    "warning": (EventLevel.WARNING, EventLevel.ERROR),
    "error": (EventLevel.ERROR,),
}


@page
def run_log(request: Request, run_id: int) -> HttpResponseBase:
    """The whole log as a text file."""
    run = OperationRun.objects.visible_to(request.user).with_scope().filter(pk=run_id).first()
    if run is None:
        return show_removed_run(request, run_id)
    response = StreamingHttpResponse(_text_lines(run), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="run-{run.pk}.txt"'
    return response


def _text_lines(run: OperationRun) -> Iterator[str]:
    yield f"Run {run.pk}: {summary.subject(run)}\n"
    if run.details_removed_at:
        removed_at = run.details_removed_at.astimezone(dt.UTC).isoformat(timespec="seconds")
        yield f"Retention removed the log at {removed_at}.\n"
    last = 0
    # Page by page: no query and no transaction stays open while the client reads.
    while events := list(run.events.filter(sequence__gt=last).order_by("sequence")[:LINES_READ]):
        for event in events:
            at = event.at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
            yield f"{event.sequence}\t{at}\t{event.level}\t{event.kind}\t{event.message}\n"
        last = events[-1].sequence


# --- the log on the page of the run --------------------------------------------------------------


@dataclass(frozen=True)
class LogFilter:
    """The lines to show: those of a level that contain a text, before or after a line."""

    level: str
    text: str
    before: int | None
    after: int | None

    @classmethod
    def of(cls, request: Request) -> LogFilter:
        """Return the filter of a request.

        Raises:
            BadRequest: the level or the text is not one that the page can send.
        """
        level, filters = request.GET.get("level", ""), ListFilter(request.GET)
        text = filters.text()
        if filters.errors or level not in ("", *LEVELS):
            raise BadRequest("The filter of the log is not valid.")
        before, after = (_sequence(request.GET.get(name, "")) for name in ("before", "after"))
        return cls(level, text, before, after)

    @property
    def levels(self) -> tuple[EventLevel, ...]:
        return LEVELS.get(self.level, tuple(EventLevel))

    @property
    def newest(self) -> int:
        """How many of the newest lines a page needs, one more than it shows; 0 with a filter."""
        has_place = self.before is not None or self.after is not None
        return 0 if self.level or self.text or has_place else LINES_ON_PAGE + 1

    def lines_of(self, run: OperationRun) -> QuerySet[OperationRunEvent]:
        lines = OperationRunEvent.objects.filter(run=run)
        if self.level:
            lines = lines.filter(level__in=self.levels)
        return lines.filter(message__icontains=self.text) if self.text else lines


def log_page(
    request: Request, run: OperationRun, shown: LogFilter, newest: Sequence[EventRow]
) -> dict[str, Any]:
    """The lines of a page, by default the newest."""
    rows: list[Any]
    if shown.after is not None:
        lines = shown.lines_of(run).filter(sequence__gt=shown.after)
        rows = list(lines.order_by("sequence")[: LINES_ON_PAGE + 1])
        has_later, has_earlier, rows = len(rows) > LINES_ON_PAGE, True, rows[:LINES_ON_PAGE]
    else:
        if shown.newest:
            rows = list(reversed(newest))
        else:
            lines = shown.lines_of(run)
            if shown.before is not None:
                lines = lines.filter(sequence__lt=shown.before)
            rows = list(lines.order_by("-sequence")[: LINES_ON_PAGE + 1])
        has_earlier, has_later = len(rows) > LINES_ON_PAGE, shown.before is not None
        rows = rows[:LINES_ON_PAGE][::-1]
    last = rows[-1].sequence if rows else 0
    return {
        "lines": rows,
        "log": shown,
        "log_kept": [(name, request.GET[name]) for name in KEPT if name in request.GET],
        "lines_earlier": rows[0].sequence if rows and has_earlier else None,
        "lines_later": rows[-1].sequence if rows and has_later else None,
        "lines_paged": shown.before is not None or shown.after is not None,
        "tail": "" if has_later else _tail_url(request, run, shown, last),
    }


def log_tail(request: Request, run: OperationRun) -> HttpResponse:
    """The lines after the last one of the page, for htmx; 204 if there are none yet."""
    shown = LogFilter.of(request)
    after = shown.after or 0
    lines = shown.lines_of(run).filter(sequence__gt=after).order_by("sequence")
    rows = list(lines[:LINES_ADDED])
    if not rows and run.is_active:
        return HttpResponse(status=204)
    last = rows[-1].sequence if rows else after
    context = {
        "run": run,
        "log": shown,
        "line_counts": load_timeline(run, shown.levels, shown.text)[1],
        "workspace": run.workspace,
        "lines": rows,
        "tail": _tail_url(request, run, shown, last, has_more=len(rows) == LINES_ADDED),
    }
    return render(request, "operations/_run_log_tail.html", context)


def _tail_url(
    request: Request, run: OperationRun, shown: LogFilter, last: int, *, has_more: bool = False
) -> str:
    """The address of the lines after `last`; empty when no more lines are to come."""
    if not (run.is_active or has_more):
        return ""
    query = {"part": "log-tail", "after": last, "level": shown.level, "q": shown.text}
    return f"{request.path}?{urlencode(query)}"


def _sequence(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None
