"""Template filters for slots and backup sets."""

from __future__ import annotations

import datetime as dt

from django import template
from django.template import Context

from backups.cron_words import describe
from backups.models import BackupSet, SetStatus
from backups.slots import zone_of
from operations.models import OperationRun
from operations.presentation.summary import State, state_of
from tenancy.times import page_zone, short_text

register = template.Library()

_STATES = {
    SetStatus.BUILDING: State("running", "Building", "loader-2"),
    SetStatus.COMPLETE: State("succeeded", "Complete", "check"),
    SetStatus.INCOMPLETE: State("partially_succeeded", "Incomplete", "alert-triangle"),
    SetStatus.FAILED: State("failed", "Failed", "x"),
}


@register.filter
def set_state(backup_set: BackupSet) -> State:
    """Return the label, icon and color key of the set."""
    return _STATES[SetStatus(backup_set.status)]


@register.filter
def in_zone(moment: dt.datetime | None, zone: str) -> str:
    """Format a slot in local time with the UTC offset: “Sun 8 Mar 2026, 03:00 (UTC-04:00)”."""
    if moment is None:
        return ""
    try:
        local = moment.astimezone(zone_of(zone))
    except ValueError:
        local = moment.astimezone(dt.UTC)
    offset = local.strftime("%z")
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} (UTC{offset[:3]}:{offset[3:5]})"


@register.filter
def in_words(cron: str) -> str:
    """Describe a cron expression in words."""
    return describe(cron)


@register.simple_tag(takes_context=True)
def slot_summary(context: Context, run: OperationRun) -> str:
    """Describe a slot and its result: “3 Nov, 02:00: Succeeded”."""
    zone = page_zone(context)
    causes = ", ".join(failure["label"].lower() for failure in run.failures[:2])
    summary = f"{short_text(run.slot or run.created_at, zone)}: {state_of(run).word}"
    if causes:
        summary += f" ({causes})"
    if repeated := run.repeated_slots:
        summary += f", {repeated.count:,} slots until {short_text(repeated.last, zone)}"
    return summary


@register.filter
def objective(duration: dt.timedelta) -> str:
    """Format an objective: “24 h”, “36 h”, “7 days”."""
    hours = round(duration / dt.timedelta(hours=1))
    return f"{hours // 24} days" if hours % 24 == 0 and hours > 24 else f"{hours} h"
