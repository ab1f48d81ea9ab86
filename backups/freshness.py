"""How old each tenant's last complete backup is: the number that an operator opens the page for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from backups.models import BackupSchedule, BackupSet
from backups.slots import next_slot
from tenancy.models import Tenant, Workspace

#: Older than this is late, unless the tenant's schedule fires more rarely.
LATE_AFTER = dt.timedelta(hours=26)
#: How long after its slot a backup may take before it is missed.
PATIENCE = dt.timedelta(hours=2)


@dataclass(frozen=True)
class Freshness:
    """One tenant: when its last complete backup ended, and when the next one is due.

    `cron` and `timezone` are those of the schedule that fires next; empty where none does.
    """

    tenant: Tenant
    last_complete_at: dt.datetime | None
    next_run_at: dt.datetime | None = None
    cron: str = ""
    timezone: str = ""

    @property
    def age(self) -> dt.timedelta | None:
        """Since the last complete backup; None if there never was one."""
        return timezone.now() - self.last_complete_at if self.last_complete_at else None

    @cached_property
    def is_late(self) -> bool:
        """Whether there is no complete backup of the last 26 hours, nor of the last slot."""
        if self.last_complete_at is None or self.age is None:
            return True
        if self.age <= LATE_AFTER:
            return False
        if not self.cron:
            return True
        missed = next_slot(self.cron, self.timezone, self.last_complete_at)
        return missed + PATIENCE < timezone.now()


def freshness_of(workspace: Workspace) -> list[Freshness]:
    """Every active tenant of a workspace, the stalest first; one query."""
    found = freshness_of_tenants(Tenant.objects.active().filter(workspace=workspace))
    return sorted(found, key=_stalest_first)


def freshness_of_tenants(tenants: QuerySet[Tenant]) -> list[Freshness]:
    """The freshness of each of these tenants; one query."""
    here = {"tenant": OuterRef("pk"), "workspace": OuterRef("workspace")}
    complete = BackupSet.objects.complete().filter(**here).order_by("-ended_at")
    waiting = BackupSchedule.objects.filter(**here, paused_at=None).order_by("next_run_at", "pk")
    annotated = tenants.annotate(
        last_complete_at=Subquery(complete.values("ended_at")[:1]),
        next_backup_at=Subquery(waiting.values("next_run_at")[:1]),
        next_cron=Subquery(waiting.values("cron")[:1]),
        next_zone=Subquery(waiting.values("timezone")[:1]),
    )
    return [
        Freshness(
            row, row.last_complete_at, row.next_backup_at, row.next_cron or "", row.next_zone or ""
        )
        for row in annotated
    ]


def _stalest_first(row: Freshness) -> tuple[bool, float, str]:
    at = row.last_complete_at
    return at is not None, at.timestamp() if at else 0.0, row.tenant.name
