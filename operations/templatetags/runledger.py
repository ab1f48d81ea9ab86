"""Template tags for times, durations, states and icons."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from operations.models import OperationRun, OperationRunEvent, OperationRunItem
from operations.presentation import markup, run_parts, summary
from operations.presentation import run_rows as markup_rows
from operations.presentation.charts import Chart
from operations.presentation.comparison import Row
from operations.presentation.stages import EventRow, Stage
from redaction.json import sanitize_json
from tenancy import staff_changes, support_access
from tenancy.clock import request_now
from tenancy.filtering import FilterField, render_fields
from tenancy.models import StaffChange, SupportAccess, Workspace
from tenancy.times import day_text, exact_text, minute_text, page_zone, short_text
from web.live_section import page_query

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; hidden from screen readers unless it has a label."""
    if not label:
        return markup.icon(name)
    url = f"{static('vendor/tabler-icons/icons.svg')}#{name}"
    return format_html(
        '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, url
    )


@register.simple_tag
def badge(state: summary.State) -> SafeString:
    """A state of a run, a legacy run, a backup set or another object."""
    return markup.badge(state)


def _row_style(context: Context) -> markup_rows.RowStyle:
    return markup_rows.RowStyle(
        columns=[heading.name for heading in context["layout"].headings],
        zone=page_zone(context),
        has_picks=bool(context.get("bulk")),
        shows_workspace=not context.get("workspace"),
    )


@register.simple_tag(takes_context=True)
def run_row(context: Context, run: OperationRun) -> SafeString:
    """A row of the list of runs, with the columns and the checkboxes of the list."""
    style = context.render_context.get("row_style")
    if style is None:
        style = context.render_context["row_style"] = _row_style(context)
    return markup_rows.run_row(run, style)


@register.simple_tag(takes_context=True)
def run_rows(context: Context, runs: Iterable[OperationRun]) -> SafeString:
    """The rows of the list of runs."""
    style = _row_style(context)
    return SafeString("".join(markup_rows.run_row(run, style) for run in runs))


@register.simple_tag(takes_context=True)
def run_line(context: Context, run: OperationRun) -> SafeString:
    """A run as a line of a panel."""
    return markup_rows.run_line(run, page_zone(context))


@register.simple_tag
def item_rows(items: Iterable[OperationRunItem]) -> SafeString:
    """The rows of the table of items on the page of a run."""
    return run_parts.item_rows(items)


@register.simple_tag(takes_context=True)
def log_lines(context: Context, lines: Iterable[OperationRunEvent | EventRow]) -> SafeString:
    """The lines of the log on the page of a run."""
    return run_parts.log_lines(lines, page_zone(context))


@register.simple_tag(takes_context=True)
def stage_rows(context: Context, stages: Iterable[Stage]) -> SafeString:
    """The lines of the timeline on the page of a run."""
    return run_parts.stage_rows(stages, page_zone(context))


@register.simple_tag(takes_context=True)
def run_facts(
    context: Context, run: OperationRun, retries: Iterable[OperationRun], deduplicated: int
) -> SafeString:
    """Who started a run, its scope and times, and the runs that it repeats or that repeat it."""
    return run_parts.facts(run, retries, deduplicated, page_zone(context))


@register.simple_tag
def run_numbers(run: OperationRun) -> SafeString:
    """The counts of a run."""
    return run_parts.numbers(run)


@register.simple_tag
def comparison_rows(rows: Iterable[Row]) -> SafeString:
    """The rows of the comparison of a run with the previous one."""
    return run_parts.comparison_rows(rows)


@register.simple_tag
def copyable(text: str, label: str = "") -> SafeString:
    """A text with a button that copies it."""
    return markup.copyable(text, label)


@register.simple_tag
def filter_fields(fields: Iterable[FilterField] | SafeString) -> SafeString:
    """The inputs of a filter form, unless they are HTML already."""
    return fields if isinstance(fields, SafeString) else render_fields(fields)


@register.simple_tag(takes_context=True)
def recent_staff_changes(context: Context) -> list[StaffChange]:
    """The entries that every page of the workspace shows to its owners; the newest first."""
    workspace, user = context.get("workspace"), context.get("user")
    if not isinstance(workspace, Workspace) or not user:
        return []
    if workspace.pk not in context["changed_by_staff"]:
        return []
    return list(staff_changes.recent_for(user, workspace)[:5])


@register.simple_tag(takes_context=True)
def shown_support_accesses(context: Context) -> list[SupportAccess]:
    """The support accesses that every page of the workspace shows to its owners and to the staff."""
    workspace, user = context.get("workspace"), context.get("user")
    if not isinstance(workspace, Workspace) or not user:
        return []
    if workspace.pk not in context["accessed_by_staff"]:
        return []
    return list(support_access.shown_to(user, workspace)[:5])


@register.simple_tag(takes_context=True)
def age(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """A time within a text: “3 min ago”, and from a day on “3 Nov, 02:00”."""
    if moment is None:
        return markup.EMPTY
    return markup_rows.age(moment, page_zone(context))


@register.simple_tag(takes_context=True)
def due(context: Context, moment: dt.datetime) -> SafeString:
    """The time of a next run within a text: “in 3 min”, “now”, and from a day on “3 Nov, 02:00”."""
    element = markup.due_element if markup.is_recent(moment) else markup.short_element
    return element(moment, page_zone(context))


@register.simple_tag(takes_context=True)
def when_due(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """The time of a next run in a list, like `when`."""
    return markup.when(moment, page_zone(context), is_due=True)


@register.simple_tag(takes_context=True)
def when(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """A time in a list: “3 Nov, 02:00” with the age below; within a day, the age comes first."""
    return markup.when(moment, page_zone(context))


@register.simple_tag(takes_context=True)
def exact(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """An exact time with its zone: “3 Nov 2026, 02:00:05 CET”."""
    return markup.exact(moment, page_zone(context))


@register.simple_tag(takes_context=True)
def short(context: Context, moment: dt.datetime) -> str:
    """A time as plain text, for a menu: “3 Nov, 02:00”."""
    return short_text(moment, page_zone(context))


@register.simple_tag(takes_context=True)
def slot(context: Context, run: OperationRun) -> SafeString | str:
    """The time for which a schedule started the run: “3 Nov, 02:00”; empty without a schedule."""
    at = run.slot
    return markup.short_element(at, page_zone(context)) if at else ""


@register.simple_tag(takes_context=True)
def time_zone(context: Context) -> str:
    """The name of the zone of all times of the page."""
    return str(page_zone(context))


@register.filter
def day(value: dt.date) -> str:
    """A day: “3 Nov 2026”."""
    return day_text(value)


@register.filter
def in_utc(moment: dt.datetime) -> str:
    """An exact time in an email, whose reader has no page: “3 Nov 2026, 02:00 UTC”."""
    return exact_text(moment, dt.UTC)


@register.simple_tag
def chart(bars: Chart) -> SafeString:
    """A chart of stacked bars."""
    return markup.chart(bars)


@register.simple_tag
def current_time() -> str:
    """The time of this page; its ages and clocks continue from it."""
    return request_now().isoformat(timespec="seconds")


@register.simple_tag
def clock(since: dt.datetime) -> SafeString:
    """The time since a moment; it updates every second."""
    return markup.clock(since)


@register.simple_tag(takes_context=True)
def clock_time(context: Context, moment: dt.datetime, precision: str = "seconds") -> SafeString:
    """The time of day: “18:25:03”, with the exact time as its title."""
    return markup.clock_time(moment, page_zone(context), precision)


@register.simple_tag(takes_context=True)
def expected_end(context: Context, moment: dt.datetime) -> str:
    """“ends about 18:25”; with the day, if it is another one."""
    if moment - request_now() < dt.timedelta(minutes=1):
        return "ends within a minute"
    # Only the minute is shown, so that a live section does not change more often.
    return f"ends about {minute_text(moment + dt.timedelta(seconds=30), page_zone(context))}"


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The query of this page with some parameters changed; those without a value are removed.

    The parameters of a live section (`part`, `seen`) are never part of a link.
    """
    return f"?{page_query(context['request'].GET, **changes)}"


@register.simple_tag
def submission_field() -> SafeString:
    """A hidden field that identifies this rendering of a form; posting it twice starts one run."""
    return format_html('<input type="hidden" name="submission" value="{}" />', uuid.uuid4())


@register.filter
def thousands(number: int) -> str:
    """A number with commas, as `intcomma` writes it, but faster: there is one language."""
    return f"{number:,}"


@register.filter
def span(value: dt.timedelta | None) -> str:
    """A duration in words: “1 min 20 s”."""
    return markup.span(value)


@register.filter
def state(run: OperationRun) -> summary.State:
    """The label, icon and color key of the run."""
    return summary.state_of(run)


@register.filter
def pretty(value: Any) -> str:
    """Indented JSON, redacted again before it is shown."""
    return markup.indented_json(sanitize_json(value))
