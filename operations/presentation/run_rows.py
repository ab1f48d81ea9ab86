"""The rows of the lists of runs as HTML.

Functions write them, because a page has up to thirty and templates need longer
(`python -m dev.bench.pages`). They write little: `static/runledger.css` adds the icon of the state
and styles cells by the name of their column, cells and rows have no end tags, which HTML does not
require, and attributes with numbers and names of the code have no quotes. Names and texts of users
are escaped here, and never stand in an attribute without quotes. Django's `escape` does the same as
that of the standard library, and checks for lazy texts first, of which there are none here.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from operations.models import OperationRun
from operations.presentation import markup
from operations.presentation.summary import State, state_of
from tenancy.times import short_text

NO_TENANT = "Whole workspace"


@dataclass(frozen=True)
class RowStyle:
    """How the rows of a list look: their columns, whether they have checkboxes, and the zone."""

    columns: Iterable[str]
    zone: dt.tzinfo
    has_picks: bool = False
    shows_workspace: bool = False


#: The addresses of the runs on the pages that are open now are formatted once.
@functools.lru_cache(maxsize=5000)
def run_address(run_id: int) -> str:
    return reverse("run_detail", args=[run_id])


@functools.lru_cache(maxsize=500)
def _list_address(slug: str) -> str:
    return reverse("run_list", args=[slug])


def run_row(run: OperationRun, style: RowStyle) -> SafeString:
    """A row of the list of runs."""
    state = state_of(run)
    pick = ""
    if style.has_picks:
        pick = (
            f"<td><input type=checkbox name=run value={run.pk} form=bulk"
            f' aria-label="Select run {run.pk}">'
        )
    cells = "".join(_CELLS[name](run, state, style.zone) for name in style.columns)
    return mark_safe(  # noqa: S308 - each part is escaped
        f"<tr data-row data-outcome={state.key}>{pick}<td class=run-name>{_name(run, style)}{cells}"
    )


def run_line(run: OperationRun, zone: dt.tzinfo) -> SafeString:
    """A run as a line of a panel."""
    state = state_of(run)
    sub = f"<bdi>{_tenant(run)}</bdi> · {age(run.created_at, zone)}{_slot(run, zone)}"
    progress = f'<div class="mini">{_progress(run)}</div>' if run.is_running else ""
    return mark_safe(  # noqa: S308 - each part is escaped
        f'<li data-row data-outcome="{state.key}"><div class="run-line-name">'
        f'<a id="line-{run.pk}" data-row-link href="{run_address(run.pk)}">{escape(run.label)}</a>'
        f" <small>{sub}</small>"
        f"{_sub(escape(run.cause_text))}{_sub(repeated_slots(run, zone))}</div>"
        f' {progress} <span class="state">{state.word}</span></li>'
    )


def age(moment: dt.datetime, zone: dt.tzinfo) -> SafeString:
    """A time within a text: “3 min ago”, and from a day on “3 Nov, 02:00”."""
    is_recent = markup.is_recent(moment)
    return (markup.age_element if is_recent else markup.short_element)(moment, zone)


def repeated_slots(run: OperationRun, zone: dt.tzinfo) -> SafeString | str:
    """The slots for which a blocked run stands: “24 slots from … to …”; empty for one slot."""
    if not (repeated := run.repeated_slots):
        return ""
    first, last = (short_text(at, zone) for at in (repeated.first, repeated.last))
    text = f"{repeated.count:,} slots from {first} to {last}"
    return mark_safe(text)  # noqa: S308 - a number and two times


def _name(run: OperationRun, style: RowStyle) -> str:
    workspace = f" · {escape(run.workspace.name)}" if style.shows_workspace else ""
    cause, repeated = escape(run.cause_text), repeated_slots(run, style.zone)
    return (
        f'<a id="run-{run.pk}" href={run_address(run.pk)}>{escape(run.label)}</a>'
        f" <small><bdi>{_tenant(run)}</bdi>{workspace} · #{run.pk}"
        f"{_slot(run, style.zone)}</small>"
        + (f'<span class="narrow-only">{_sub(cause)}</span>' if cause else "")
        + _sub(repeated)
    )


def _tenant(run: OperationRun) -> str:
    return escape(run.tenant.name) if run.tenant else NO_TENANT


def _slot(run: OperationRun, zone: dt.tzinfo) -> str:
    slot = run.slot
    return f" · slot {short_text(slot, zone)}" if slot else ""


def _sub(content: str) -> str:
    return f"<small>{content}</small>" if content else ""


# --- cells ---------------------------------------------------------------------------------


def _state(run: OperationRun, state: State, _: dt.tzinfo) -> str:
    dot = recovered = ""
    if run.needs_attention:
        text = "Needs attention"
        dot = (
            f' <span class="dot" title="{text}"><span class="visually-hidden">{text}</span></span>'
        )
    if run.recovered_at and run.recovered_by_id:
        link = f'<a href="{run_address(run.recovered_by_id)}">#{run.recovered_by_id}</a>'
        recovered = f"<small>recovered by {link}</small>"
    return f"<td><span class=state>{state.word}</span>{dot}{recovered}"


def _cause(run: OperationRun, _state: State, _zone: dt.tzinfo) -> str:
    text: str = escape(run.cause_text)
    if run.cause:
        address = f"{_list_address(run.workspace.slug)}?cause={quote(run.cause)}"
        text = f'<a href="{address}">{text}</a>'
    return f"<td class=cause>{text}"


def _progress(run: OperationRun) -> str:
    """Processed items of the total, with a progress bar; a dash for a run without counts.

    Screen readers read the numbers and not the bar.
    """
    counts = run.counts
    if counts.total:
        failed = ""
        if counts.failed:
            failed = f' <span class="failed-count">{counts.failed:,} failed</span>'
        return (
            f"{counts.processed:,}<span class=of> of {counts.total:,}</span>{failed}"
            f"<progress max={counts.total} value={counts.processed} aria-hidden=true></progress>"
        )
    if run.is_running:
        return "<span class=of>counting…</span><progress aria-hidden=true></progress>"
    return f"<span class=of>{markup.EMPTY}</span>"


def _duration(run: OperationRun, _state: State, _zone: dt.tzinfo) -> str:
    text = markup.span(run.duration)
    if run.is_running and run.started_at:
        text = markup.clock(run.started_at)
    return f"<td class=duration>{text}"


def _text(name: str, text_of: Callable[[OperationRun], str]) -> Callable[..., str]:
    """A cell with a text that users or systems entered."""
    return lambda run, *_: f"<td class={name}>{escape(text_of(run)) or markup.EMPTY}"


def _time(name: str, time_of: Callable[[OperationRun], dt.datetime | None]) -> Callable[..., str]:
    return lambda run, _, zone: f"<td class={name}>{markup.compact_when(time_of(run), zone)}"


#: The cells by the names of the columns in `layout.COLUMNS`.
_CELLS: Mapping[str, Callable[[OperationRun, State, dt.tzinfo], str]] = {
    "state": _state,
    "cause": _cause,
    "progress": lambda run, *_: f"<td class=mini>{_progress(run)}",
    "assignee": _text("assignee", lambda run: run.assigned_to.username if run.assigned_to else ""),
    "initiator": _text("initiator", lambda run: run.initiator_name),
    "requested": _time("requested", lambda run: run.created_at),
    "started": _time("started", lambda run: run.started_at),
    "ended": _time("ended", lambda run: run.completed_at),
    "waited": lambda run, *_: f"<td class=waited>{markup.span(run.queue_time)}",
    "duration": _duration,
    "worker": _text("worker", lambda run: run.worker),
}
