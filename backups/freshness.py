"""The age of each tenant's last complete backup, and whether a backup is late."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db.models import OuterRef, QuerySet, Subquery

from backups.models import BackupSchedule, BackupSet
from backups.slots import next_slot
from tenancy.clock import request_now
from tenancy.models import Tenant, Workspace

log = logging.getLogger(__name__)

#: A younger backup is never late, however often the schedules of its tenant run.
LATE_AFTER = dt.timedelta(hours=26)
#: The time that a backup has after its slot before it is late.
TOLERANCE = dt.timedelta(hours=2)


@dataclass(frozen=True)
class Freshness:
    """One tenant: when its last complete backup ended, judged by its strictest schedule.

    `schedules` are those that are not paused; `now` is the time of the database.
    """

    tenant: Tenant
    last_complete_at: dt.datetime | None
    schedules: Sequence[BackupSchedule]
    now: dt.datetime

    @property
    def age(self) -> dt.timedelta | None:
        """The time since the last complete backup; None if there has never been one."""
        if self.last_complete_at is None:
            return None
        return self.now - self.last_complete_at

    @property
    def next_run_at(self) -> dt.datetime | None:
        """The next slot of any schedule; None if nothing is scheduled."""
        return min((each.next_run_at for each in self.schedules if each.next_run_at), default=None)

    @cached_property
    def is_late(self) -> bool:
        """Whether a newer complete backup should exist by now."""
        if self.last_complete_at is None:
            return True
        if self.now <= self.last_complete_at + LATE_AFTER:
            return False
        return late_from(self.last_complete_at, self.schedules) < self.now


def late_from(last_complete_at: dt.datetime, schedules: Iterable[BackupSchedule]) -> dt.datetime:
    """Return the time from which a backup is late: the earliest that any schedule demands.

    A schedule demands a newer backup two hours after its first slot since the last one, but not
    within the first 26 hours. Without schedules, the backup is late after 26 hours.
    """
    earliest = last_complete_at + LATE_AFTER
    due = [slot + TOLERANCE for each in schedules if (slot := _slot_after(each, last_complete_at))]
    return max(earliest, min(due, default=earliest))


def _slot_after(schedule: BackupSchedule, at: dt.datetime) -> dt.datetime | None:
    """The first slot after a time; None if it cannot be computed, which the tick reports."""
    try:
        return next_slot(schedule.cron, schedule.timezone, at)
    except Exception:
        log.exception("the times of schedule %s could not be computed", schedule.pk)
        return None


def freshness_of(workspace: Workspace) -> list[Freshness]:
    """Return the freshness of every active tenant, the oldest backup first."""
    rows = freshness_of_tenants(Tenant.objects.active().filter(workspace=workspace))
    return sorted(rows, key=_oldest_first)


def freshness_of_tenants(tenants: QuerySet[Tenant]) -> list[Freshness]:
    """Return the freshness of each of these tenants, in two queries for any number of them."""
    complete = BackupSet.objects.complete().filter(
        tenant=OuterRef("pk"), workspace=OuterRef("workspace")
    )
    last_complete = complete.order_by("-ended_at").values("ended_at")[:1]
    annotated = list(tenants.annotate(last_complete_at=Subquery(last_complete)))
    schedules = defaultdict(list)
    unpaused = BackupSchedule.objects.filter(tenant__in=annotated, paused_at=None)
    for schedule in unpaused.only("tenant", "cron", "timezone", "next_run_at"):
        schedules[schedule.tenant_id].append(schedule)
    now = request_now()
    return [
        Freshness(tenant, tenant.last_complete_at, schedules[tenant.pk], now)
        for tenant in annotated
    ]


def _oldest_first(row: Freshness) -> tuple[bool, float, str]:
    """The sort key: tenants without a complete backup come before all others."""
    last = row.last_complete_at
    return last is not None, last.timestamp() if last else 0.0, row.tenant.name
