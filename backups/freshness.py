"""The age of each tenant's last complete backup."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from backups.models import BackupSchedule, BackupSet
from backups.slots import next_slot
from tenancy.models import Tenant, Workspace

#: An older backup is late, unless the tenant's schedule runs less often.
LATE_AFTER = dt.timedelta(hours=26)
#: The time that a backup has after its slot before it is late.
TOLERANCE = dt.timedelta(hours=2)


@dataclass(frozen=True)
class Freshness:
    """One tenant: when its last complete backup ended, and when the next one is due.

    `cron` and `timezone` are those of the schedule that runs next; empty if there is none.
    """

    tenant: Tenant
    last_complete_at: dt.datetime | None
    next_run_at: dt.datetime | None = None
    cron: str = ""
    timezone: str = ""

    @property
    def age(self) -> dt.timedelta | None:
        """The time since the last complete backup; None if there has never been one."""
        if self.last_complete_at is None:
            return None
        return timezone.now() - self.last_complete_at

    @cached_property
    def is_late(self) -> bool:
        """Whether the last complete backup is older than 26 hours and older than the last slot."""
        if self.last_complete_at is None or self.age is None:
            return True
        if self.age <= LATE_AFTER:
            return False
        if not self.cron:
            return True
        next_due = next_slot(self.cron, self.timezone, self.last_complete_at)
        return next_due + TOLERANCE < timezone.now()


def freshness_of(workspace: Workspace) -> list[Freshness]:
    """Return the freshness of every active tenant, the oldest backup first, in one query."""
    rows = freshness_of_tenants(Tenant.objects.active().filter(workspace=workspace))
    return sorted(rows, key=_oldest_first)


def freshness_of_tenants(tenants: QuerySet[Tenant]) -> list[Freshness]:
    """Return the freshness of each of these tenants, in one query."""
    same_tenant = {"tenant": OuterRef("pk"), "workspace": OuterRef("workspace")}
    complete = BackupSet.objects.complete().filter(**same_tenant).order_by("-ended_at")
    pending = BackupSchedule.objects.filter(**same_tenant, paused_at=None).order_by(
        "next_run_at", "pk"
    )
    annotated = tenants.annotate(
        last_complete_at=Subquery(complete.values("ended_at")[:1]),
        next_backup_at=Subquery(pending.values("next_run_at")[:1]),
        next_cron=Subquery(pending.values("cron")[:1]),
        next_zone=Subquery(pending.values("timezone")[:1]),
    )
    return [
        Freshness(
            row, row.last_complete_at, row.next_backup_at, row.next_cron or "", row.next_zone or ""
        )
        for row in annotated
    ]


def _oldest_first(row: Freshness) -> tuple[bool, float, str]:
    """The sort key: tenants without a complete backup come before all others."""
    last = row.last_complete_at
    return last is not None, last.timestamp() if last else 0.0, row.tenant.name
