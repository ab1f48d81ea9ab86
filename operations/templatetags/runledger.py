"""Template tags for times, durations, states and icons."""

from __future__ import annotations

import datetime as dt
import json
import uuid
import zoneinfo
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from operations.models import OperationRun
from operations.presentation import summary
from redaction.json import sanitize_json
from tenancy import staff_changes
from tenancy.clock import request_now
from tenancy.models import StaffChange, Workspace
from web.durations import ago, duration_text

register = template.Library()

EMPTY = "\N{EN DASH}"
#: In seconds.
DAY = 86400


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; hidden from screen readers unless it has a label."""
    url = f"{static('vendor/tabler-icons/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, url
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', url)


@register.simple_tag(takes_context=True)
def recent_staff_changes(context: Context) -> list[StaffChange]:
    """The entries that every page of the workspace shows to its owners; the newest first."""
    workspace, user = context.get("workspace"), context.get("user")
    if not isinstance(workspace, Workspace) or not user:
        return []
    # The list of the menu knows it, without another statement.
    listed = {each.pk: each.has_staff_changes for each in context["workspaces"]}
    if not listed.get(workspace.pk):
        return []
    return list(staff_changes.recent_for(user, workspace)[:5])


@register.simple_tag(takes_context=True)
def age(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """“3 min ago”, with the exact time in UTC and in the workspace's zone as its title."""
    if moment is None:
        return EMPTY
    text = ago((request_now() - moment).total_seconds())
    return format_html(
        '<time data-age datetime="{}" title="{}">{}</time>',
        moment.astimezone(dt.UTC).isoformat(),
        exact_text(moment, _zone(context)),
        text,
    )


@register.simple_tag(takes_context=True)
def when(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """The time of a list: “3 Nov, 02:00” with the age below; within a day, the age comes first."""
    if moment is None:
        return EMPTY
    zone, seconds = _zone(context), (request_now() - moment).total_seconds()
    exactly = {
        "iso": moment.astimezone(dt.UTC).isoformat(),
        "title": exact_text(moment, zone),
        "age": ago(seconds),
        "time": short_text(moment, zone),
    }
    age_tag = '<time data-age datetime="{iso}" title="{title}">{age}</time>'
    time_tag = '<time datetime="{iso}" title="{title}">{time}</time>'
    first, second = (age_tag, time_tag) if abs(seconds) < DAY else (time_tag, age_tag)
    return format_html(f'{first}<span class="sub">{second}</span>', **exactly)


@register.simple_tag
def current_time() -> str:
    """The time of this page; its ages and clocks continue from it."""
    return request_now().isoformat(timespec="seconds")


@register.simple_tag
def clock(since: dt.datetime) -> SafeString:
    """The time since a moment; it updates every second."""
    text = duration_text(request_now() - since)
    return format_html(
        '<time data-clock datetime="{}">{}</time>', since.astimezone(dt.UTC).isoformat(), text
    )


@register.simple_tag(takes_context=True)
def exact(context: Context, moment: dt.datetime | None) -> SafeString | str:
    """The exact time in the workspace's zone, with UTC as its title."""
    if moment is None:
        return EMPTY
    zone = _zone(context)
    local = moment.astimezone(zone)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.astimezone(dt.UTC).isoformat(),
        exact_text(moment, zone),
        local.strftime("%d %b %Y %H:%M:%S"),
    )


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The query of this page with some parameters changed; those without a value are removed.

    The parameters of a live section (`part`, `seen`) are never part of a link.
    """
    params = context["request"].GET.copy()
    for name, value in {"part": None, "seen": None, **changes}.items():
        params.pop(name, None)
        if value not in (None, ""):
            params[name] = str(value)
    return f"?{params.urlencode()}"


@register.simple_tag
def submission_field() -> SafeString:
    """A hidden field that identifies this rendering of a form; posting it twice starts one run."""
    return format_html('<input type="hidden" name="submission" value="{}" />', uuid.uuid4())


@register.filter
def span(value: dt.timedelta | None) -> str:
    """A duration in words: “1 min 20 s”."""
    return duration_text(value) if value is not None else EMPTY


@register.filter
def state(run: OperationRun) -> summary.State:
    """The label, icon and color key of the run."""
    return summary.state_of(run)


@register.filter
def pretty(value: Any) -> str:
    """Indented JSON, redacted again before it is shown."""
    return json.dumps(sanitize_json(value), indent=2, ensure_ascii=False, sort_keys=True)


def short_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a time to the minute: “3 Nov, 02:00”; with the year, if it is not this one."""
    local, now = moment.astimezone(zone), request_now().astimezone(zone)
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local.day} {local:%b}{year}, {local:%H:%M}"


def exact_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a text such as “2026-03-08 07:00:00 UTC · 08:00:00 Europe/Berlin”."""
    in_utc = moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if str(zone) == "UTC":
        return in_utc
    return f"{in_utc} · {moment.astimezone(zone).strftime('%Y-%m-%d %H:%M:%S')} {zone}"


def _zone(context: Context) -> dt.tzinfo:
    workspace = context.get("workspace")
    name = getattr(workspace, "timezone", None)
    return zoneinfo.ZoneInfo(name) if name else dt.UTC
