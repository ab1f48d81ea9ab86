"""The rows of the page of a run as HTML: its items, the lines of its log and its timeline.

Functions write them, because a page has up to fifty items and two hundred lines, and templates need
longer (`python -m dev.bench.pages`). Texts of users and of other systems are escaped here, with the
function of the standard library, as in `run_rows`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString, mark_safe

from operations.models import EventLevel, OperationRunEvent, OperationRunItem
from operations.presentation import markup
from operations.presentation.stages import WIDTH, Stage
from operations.states import ItemOutcome
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


def log_lines(lines: Iterable[OperationRunEvent], zone: dt.tzinfo) -> SafeString:
    """The lines of the log, with their numbers and times."""
    return mark_safe("".join(_log_line(line, zone) for line in lines))  # noqa: S308 - escaped


def _log_line(line: OperationRunEvent, zone: dt.tzinfo) -> str:
    level = ""
    if line.level != EventLevel.INFO:
        level = f'<span class="line-level">{escape(line.get_level_display())}</span> '
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
