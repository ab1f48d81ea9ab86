"""Days on which a schedule does not run because the clocks go forward."""

from __future__ import annotations

from backups.slots import next_skipped_day
from tenancy.clock import request_now
from tenancy.times import day_text


def skipped_day_text(cron: str, zone: str) -> str:
    """Return the next day without a run because the clocks go forward; empty if there is none."""
    day = next_skipped_day(cron, zone, request_now())
    return day_text(day) if day else ""
