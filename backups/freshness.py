"""How old each tenant's last complete backup is: the number that an operator opens the page for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from backups.models import BackupSchedule, BackupSet
from tenancy.models import Tenant, Workspace

#: Older than this is late, unless the tenant's schedules fire more rarely.
LATE_AFTER = dt.timedelta(hours=26)


@dataclass(frozen=True)
class Freshness:
    """One tenant: when its last complete backup ended, and when the next one is due."""

    tenant: Tenant
    last_complete_at: dt.datetime | None
    next_run_at: dt.datetime | None

    @property
    def age(self) -> dt.timedelta | None:
        """Since the last complete backup; None if there never was one."""
        return timezone.now() - self.last_complete_at if self.last_complete_at else None

    @property
    def is_late(self) -> bool:
        """Whether there is no complete backup of the last 26 hours."""
        return self.age is None or self.age > LATE_AFTER


def freshness_of(workspace: Workspace) -> list[Freshness]:
    """Every active tenant of a workspace, the stalest first; one query."""
    here = {"tenant": OuterRef("pk"), "workspace": OuterRef("workspace")}
    complete = BackupSet.objects.complete().filter(**here).order_by("-finished_at")
    waiting = BackupSchedule.objects.filter(**here, paused_at=None).order_by("next_run_at")
    tenants: QuerySet[Tenant] = Tenant.objects.active().filter(workspace=workspace)
    annotated = tenants.annotate(
        last_complete_at=Subquery(complete.values("finished_at")[:1]),
        next_backup_at=Subquery(waiting.values("next_run_at")[:1]),
    )
    found = [Freshness(row, row.last_complete_at, row.next_backup_at) for row in annotated]
    return sorted(found, key=_stalest_first)


def _stalest_first(row: Freshness) -> tuple[bool, float, str]:
    at = row.last_complete_at
    return at is not None, at.timestamp() if at else 0.0, row.tenant.name
