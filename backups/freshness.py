"""The age of each tenant's last complete backup, its objective, and whether a backup is late."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, QuerySet, Subquery

from backups.models import DEFAULT_HOURS, BackupObjective, BackupSchedule, SetStatus
from backups.slots import next_slot
from tenancy.clock import request_now
from tenancy.models import Tenant, Workspace

log = logging.getLogger(__name__)

#: The time that a backup has after its objective or its slot before it is late.
TOLERANCE = dt.timedelta(hours=2)


class ScheduleTimes(NamedTuple):
    """What freshness needs of a schedule; objects would take three times as long to load."""

    pk: int
    cron: str
    timezone: str
    next_run_at: dt.datetime | None
    objective: dt.timedelta | None = None


Times = ScheduleTimes | BackupSchedule


@dataclass(frozen=True)
class Objectives:
    """How old the last complete backup of a tenant may be, as set for it and for its workspace."""

    workspace: dt.timedelta = dt.timedelta(hours=DEFAULT_HOURS)
    tenant: dt.timedelta | None = None


@dataclass(frozen=True)
class Freshness:
    """One tenant: when its last complete backup ended, and what its objective demands.

    `schedules` are those that are not paused; `now` is the time of the database. `latest_status` is
    the status of the last set, complete or not; empty if there is none.
    """

    tenant: Tenant
    last_complete_at: dt.datetime | None
    schedules: Sequence[Times]
    now: dt.datetime
    objectives: Objectives = field(default_factory=Objectives)
    latest_status: str = ""

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

    @property
    def objective(self) -> dt.timedelta:
        """The objective that counts: of the tenant, else the shortest of its schedules."""
        if self.objectives.tenant:
            return self.objectives.tenant
        return min(
            (each.objective or self.objectives.workspace for each in self.schedules),
            default=self.objectives.workspace,
        )

    @property
    def objective_source(self) -> str:
        """Where the objective is set: “tenant”, “schedule” or “workspace”."""
        if self.objectives.tenant:
            return "tenant"
        is_of_schedule = any(each.objective == self.objective for each in self.schedules)
        return "schedule" if is_of_schedule else "workspace"

    @cached_property
    def late_at(self) -> dt.datetime | None:
        """The time from which the backup is late; None if there has never been a complete one."""
        if self.last_complete_at is None:
            return None
        return late_from(self.last_complete_at, self.schedules, self.objectives)

    @cached_property
    def is_late(self) -> bool:
        """Whether a newer complete backup should exist by now."""
        if self.last_complete_at is None:
            return True
        # No slot is computed for a backup that is young enough in any case.
        if self.now <= self.last_complete_at + self.objective + TOLERANCE:
            return False
        return self.late_at is not None and self.late_at < self.now

    @property
    def is_never(self) -> bool:
        """Whether there has never been a complete backup."""
        return self.last_complete_at is None

    @property
    def is_overdue(self) -> bool:
        """Whether there is a complete backup, and it is late."""
        return self.is_late and not self.is_never

    @property
    def is_unscheduled(self) -> bool:
        """Whether no schedule will back up the tenant."""
        return self.next_run_at is None

    @property
    def is_incomplete(self) -> bool:
        """Whether the last backup set is not complete."""
        return self.latest_status in (SetStatus.INCOMPLETE, SetStatus.FAILED)


def late_from(
    last_complete_at: dt.datetime,
    schedules: Iterable[Times],
    objectives: Objectives | None = None,
) -> dt.datetime:
    """Return the time from which a backup is late: two hours after the earliest demand.

    The objective of the tenant demands a newer backup when the last one is that old. Without it,
    each schedule demands one: by its own objective, or else by that of the workspace, but then not
    before the first slot of the schedule since the last backup. Without schedules, the objective
    of the workspace counts.
    """
    objectives = objectives or Objectives()
    if objectives.tenant:
        return last_complete_at + objectives.tenant + TOLERANCE
    due = [_due_at(each, last_complete_at, objectives.workspace) for each in schedules]
    earliest = min((at for at in due if at), default=last_complete_at + objectives.workspace)
    return earliest + TOLERANCE


def _due_at(
    schedule: Times, last_complete_at: dt.datetime, default: dt.timedelta
) -> dt.datetime | None:
    """When a schedule demands a newer backup; None if its slots cannot be computed."""
    if schedule.objective:
        return last_complete_at + schedule.objective
    try:
        slot = next_slot(schedule.cron, schedule.timezone, last_complete_at)
    except Exception:
        # The tick reports it.
        log.exception("the times of schedule %s could not be computed", schedule.pk)
        return None
    return max(slot, last_complete_at + default)


def freshness_of(workspace: Workspace) -> list[Freshness]:
    """Return the freshness of every active tenant, the oldest backup first."""
    rows = freshness_of_tenants(Tenant.objects.active().filter(workspace=workspace))
    return sorted(rows, key=stalest_first)


def freshness_of_tenants(tenants: QuerySet[Tenant]) -> list[Freshness]:
    """Return the freshness of each of these tenants, in two queries for any number of them."""
    annotated = list(tenants.annotate(**freshness_values()))
    schedules: dict[int, list[Times]] = defaultdict(list)
    unpaused = BackupSchedule.objects.filter(
        tenant__in=tenants.order_by().values("pk"), paused_at=None
    )
    columns = ("tenant", "pk", "cron", "timezone", "next_run_at", "objective_hours")
    for tenant_id, pk, cron, timezone, next_run_at, hours in unpaused.values_list(*columns):
        objective = dt.timedelta(hours=hours) if hours else None
        times = ScheduleTimes(pk, cron, timezone, next_run_at, objective)
        schedules[tenant_id].append(times)
    now = request_now()
    return [build_freshness(tenant, schedules[tenant.pk], now) for tenant in annotated]


def freshness_values() -> dict[str, F | Subquery]:
    """Return what `build_freshness` needs, by the names of the annotations of a tenant."""
    objectives = BackupObjective.objects.filter(workspace=OuterRef("workspace")).values("hours")
    return {
        "last_complete_at": F("backup_freshness__last_complete_at"),
        "latest_status": F("backup_freshness__latest_status"),
        "workspace_hours": Subquery(objectives.filter(tenant=None)),
        "tenant_hours": Subquery(objectives.filter(tenant=OuterRef("pk"))),
    }


def build_freshness(tenant: Any, unpaused: Sequence[Times], now: dt.datetime) -> Freshness:
    """Return the freshness of a tenant with `freshness_values`, and with its unpaused schedules."""
    return Freshness(
        tenant,
        tenant.last_complete_at,
        unpaused,
        now,
        build_objectives(tenant.workspace_hours, tenant.tenant_hours),
        tenant.latest_status or "",
    )


def build_objectives(workspace_hours: int | None, tenant_hours: int | None) -> Objectives:
    """Return the objectives that are set; None stands for one that is not."""
    of_tenant = dt.timedelta(hours=tenant_hours) if tenant_hours else None
    return Objectives(dt.timedelta(hours=workspace_hours or DEFAULT_HOURS), of_tenant)


def stalest_first(row: Freshness) -> tuple[bool, float, str]:
    """The sort key: tenants without a complete backup come before all others."""
    last = row.last_complete_at
    return last is not None, last.timestamp() if last else 0.0, row.tenant.name
