"""Parts of the page of a run as HTML: its items, log and timeline, its facts and numbers.

Functions write them, because a page has up to fifty items and two hundred lines, and templates need
longer (`python -m dev.bench.pages`). Texts of users and of other systems are escaped here, with the
function of the standard library, as in `run_rows`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString, mark_safe

from operations.models import EventLevel, OperationRun, OperationRunEvent, OperationRunItem
from operations.presentation import markup
from operations.presentation.comparison import Row
from operations.presentation.run_rows import NO_TENANT, repeated_slots, run_address
from operations.presentation.stages import WIDTH, EventRow, Stage
from operations.presentation.summary import state_of
from operations.states import ItemOutcome, RunOutcome
from web.durations import precise_duration_text


def item_rows(items: Iterable[OperationRunItem]) -> SafeString:
    """The rows of the table of items."""
    return mark_safe("".join(map(_item_row, items)))  # noqa: S308 - each part is escaped


def _item_row(item: OperationRunItem) -> str:
    name = escape(item.label or item.key)
    if item.link:
        name = f'<a href="{escape(item.link)}">{name}</a>'
    reason = ""
    if item.reason_code:
        reason = (
            f'<div class="reason" title="{escape(item.message)}">{escape(item.reason_label)}</div>'
        )
    if item.request_id:
        reason += markup.copyable(item.request_id, "request")
    return (
        f"<tr><td><bdi>{name}</bdi></td>"
        f'<td><span class="state" data-outcome="{item.outcome}">'
        f"{ItemOutcome(item.outcome).label}</span></td><td>{reason}</td></tr>"
    )


def log_lines(lines: Iterable[OperationRunEvent | EventRow], zone: dt.tzinfo) -> SafeString:
    """The lines of the log, with their numbers and times."""
    return mark_safe("".join(_log_line(line, zone) for line in lines))  # noqa: S308 - escaped


def _log_line(line: OperationRunEvent | EventRow, zone: dt.tzinfo) -> str:
    level = ""
    if line.level != EventLevel.INFO:
        level = f'<span class="line-level">{escape(line.level.capitalize())}</span> '
    return (
        f'<li data-level="{escape(line.level)}"><span class="line-number">{line.sequence}</span>'
        f'<span class="line-at">{markup.clock_time(line.at, zone, "milliseconds")}</span>'
        f'<span class="line-text">{level}<bdi>{escape(line.message)}</bdi></span></li>'
    )


def stage_rows(stages: Iterable[Stage], zone: dt.tzinfo) -> SafeString:
    """The lines of the timeline."""
    return mark_safe("".join(_stage_row(stage, zone) for stage in stages))  # noqa: S308 - escaped


def _stage_row(stage: Stage, zone: dt.tzinfo) -> str:
    kind = level = note = bar = duration = is_open = ""
    if stage.is_mark:
        kind = ' class="stage-mark"'
    elif stage.outcome:
        kind = f' data-outcome="{stage.outcome}"'
    if stage.level != EventLevel.INFO:
        level = f'<span class="visually-hidden">{escape(stage.level.capitalize())}:</span> '
    if stage.note:
        note = f' <span class="sub">{escape(stage.note)}</span>'
    if stage.is_open:
        is_open, duration = ' class="open"', markup.clock(stage.at)
    elif stage.duration:
        duration = precise_duration_text(stage.duration)
    if stage.width:
        bar = (
            f'<svg class="stage-bar" viewBox="0 0 {WIDTH} 8" preserveAspectRatio="none"'
            f' aria-hidden="true"><rect x="{stage.start}" width="{stage.width}" height="8"{is_open}'
            " /></svg>"
        )
    return (
        f'<li data-stage="{escape(stage.key)}" data-level="{escape(stage.level)}"{kind}>'
        f'<span class="stage-name">{level}<bdi>{escape(stage.label)}</bdi>{note}</span>{bar}'
        f'<span class="stage-duration">{duration}</span>'
        f'<span class="stage-at">{markup.clock_time(stage.at, zone)}</span></li>'
    )


def facts(
    run: OperationRun, retries: Iterable[OperationRun], deduplicated: int, zone: dt.tzinfo
) -> SafeString:
    """Who started the run, its scope and times, and the runs that it repeats or that repeat it."""
    has_succeeded = run.outcome == RunOutcome.SUCCEEDED
    pairs = [
        ("Started by", f"<bdi>{escape(run.initiator_name) or markup.EMPTY}</bdi>"),
        ("Tenant", f"<bdi>{escape(run.tenant.name) if run.tenant else NO_TENANT}</bdi>"),
        ("Workspace", escape(run.workspace.name)),
    ]
    if slot := run.slot:
        pairs.append(("Slot", markup.exact(slot, zone)))
    if slots := repeated_slots(run, zone):
        pairs.append(("Blocked slots", slots))
    pairs += [
        ("Requested", markup.exact(run.created_at, zone)),
        ("Started", markup.exact(run.started_at, zone)),
        ("Ended", markup.exact(run.completed_at, zone)),
    ]
    if run.started_at:
        pairs.append(("Queue time", markup.span(run.queue_time)))
    if run.worker:
        pairs.append(("Worker", f"<code>{escape(run.worker)}</code>"))
    if run.trace_id:
        pairs.append(("Trace ID", markup.copyable(run.trace_id)))
    if deduplicated:
        pairs.append(("Deduplicated requests", str(deduplicated)))
    if run.retry_of:
        is_repetition = run.retry_of.outcome == RunOutcome.SUCCEEDED
        pairs.append(("Repeats" if is_repetition else "Retry of", _link(run.retry_of)))
    for retry in retries:
        label = "Run again as" if has_succeeded else "Retried as"
        pairs.append((label, f"{_link(retry)} {markup.badge(state_of(retry))}"))
    lines = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in pairs)
    return mark_safe(lines)  # noqa: S308 - each value is escaped


def _link(run: OperationRun) -> str:
    return f'<a href="{run_address(run.pk)}">run #{run.pk}</a>'


def numbers(run: OperationRun) -> SafeString:
    """The counts of a run."""
    counts = run.counts
    remaining = "Remaining" if run.is_active else "Not attempted"
    shown = [
        _number("Succeeded", counts.succeeded, "succeeded"),
        _number("Failed", counts.failed, "failed" if counts.failed else ""),
        _number("Skipped", counts.skipped, "skipped"),
    ]
    if counts.not_attempted:
        shown.append(_number(remaining, counts.not_attempted))
    shown += [_number(change.capitalize(), count) for change, count in counts.changes.items()]
    return mark_safe("".join(shown))  # noqa: S308 - names of the code and numbers


def _number(label: str, number: int, outcome: str = "") -> str:
    attribute = f' data-outcome="{outcome}"' if outcome else ""
    return f"<div{attribute}><dt>{label}</dt><dd>{number:,}</dd></div>"


def comparison_rows(rows: Iterable[Row]) -> SafeString:
    """The rows of the comparison with the previous run."""
    return mark_safe("".join(map(_comparison_row, rows)))  # noqa: S308 - each part is escaped


def _comparison_row(row: Row) -> str:
    attribute = f' data-outcome="{row.outcome}"' if row.outcome else ""
    return (
        f'<tr><th scope="row">{escape(row.label)}</th><td class="num">{escape(row.value)}</td>'
        f'<td class="num text-secondary">{escape(row.before)}</td>'
        f'<td class="num"{attribute}>{escape(row.change) or markup.EMPTY}</td></tr>'
    )
