"""The freshness of whole workspaces: numbers and the stalest tenants, without reading each tenant.

The database decides about the tenants whose last complete backup is young enough in any case. The
few others are judged like on every page, by `backups.freshness`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from backups.freshness import (
    TOLERANCE,
    Freshness,
    ScheduleTimes,
    build_objectives,
    stalest_first,
)
from backups.models import DEFAULT_HOURS
from tenancy.clock import request_now
from tenancy.db import run_prepared
from tenancy.models import Tenant

_TENANTS = """
WITH tenant AS (
    SELECT tenants.id, tenants.workspace_id, tenants.name, freshness.last_complete_at AS ended_at,
           schedule.next_run_at, own.hours AS own_hours, common.hours AS common_hours,
           COALESCE(own.hours, schedule.hours, common.hours, %(hours)s) AS hours
    FROM tenants
    LEFT JOIN backup_objectives common
        ON common.workspace_id = tenants.workspace_id AND common.tenant_id IS NULL
    LEFT JOIN backup_objectives own
        ON own.workspace_id = tenants.workspace_id AND own.tenant_id = tenants.id
    LEFT JOIN LATERAL (
        SELECT min(next_run_at) AS next_run_at,
               min(COALESCE(objective_hours, common.hours, %(hours)s)) AS hours
        FROM backup_schedules WHERE tenant_id = tenants.id AND paused_at IS NULL) schedule ON true
    LEFT JOIN backup_freshness freshness ON freshness.tenant_id = tenants.id
    WHERE tenants.workspace_id = ANY (%(workspaces)s) AND tenants.status = 'active')
SELECT workspace_id, total, never, unscheduled, place, id, name, ended_at, common_hours, own_hours,
       (SELECT jsonb_agg(jsonb_build_array(id, cron, timezone, next_run_at, objective_hours))
        FROM backup_schedules WHERE tenant_id = counted.id AND paused_at IS NULL)
FROM (
    SELECT *,
           ended_at < %(now)s::timestamptz - make_interval(hours => hours) - %(tolerance)s::interval
               AS may_be_late,
           row_number() OVER (
               PARTITION BY workspace_id ORDER BY ended_at NULLS FIRST, name COLLATE "C") AS place,
           count(*) OVER workspace AS total,
           count(*) FILTER (WHERE ended_at IS NULL) OVER workspace AS never,
           count(*) FILTER (WHERE next_run_at IS NULL) OVER workspace AS unscheduled
    FROM tenant WINDOW workspace AS (PARTITION BY workspace_id)) counted
WHERE may_be_late OR place <= GREATEST(%(rows)s::int, 1)
"""


class _Row(NamedTuple):
    """A tenant that may be late or is one of the stalest, and the numbers of its workspace."""

    workspace: int
    total: int
    never: int
    unscheduled: int
    place: int
    tenant: int
    name: str
    ended_at: dt.datetime | None
    common_hours: int | None
    own_hours: int | None
    #: JSON: a list for each schedule that is not paused.
    schedules: str | None


@dataclass
class FleetFreshness:
    """The numbers of active tenants by the ids of workspaces, and the rows of the stalest ones."""

    total: Counter[int] = field(default_factory=Counter)
    late: Counter[int] = field(default_factory=Counter)
    never: Counter[int] = field(default_factory=Counter)
    unscheduled: Counter[int] = field(default_factory=Counter)
    stalest: list[Freshness] = field(default_factory=list)


def freshness_of_workspaces(workspaces: Sequence[int], *, rows: int = 0) -> FleetFreshness:
    """Return the numbers of each of these workspaces, and this many of the stalest tenants."""
    fleet, now = FleetFreshness(), request_now()
    parameters = {
        "workspaces": list(workspaces),
        "hours": DEFAULT_HOURS,
        "tolerance": TOLERANCE,
        "now": now,
        "rows": rows,
    }
    for row in map(_Row._make, run_prepared(_TENANTS, parameters)):
        fleet.total[row.workspace] = row.total
        fleet.never[row.workspace] = row.never
        fleet.unscheduled[row.workspace] = row.unscheduled
        is_shown = row.place <= rows
        freshness = _freshness(row, now, _tenant(row) if is_shown else _NOT_SHOWN)
        fleet.late[row.workspace] += freshness.is_overdue
        if is_shown:
            fleet.stalest.append(freshness)
    fleet.stalest.sort(key=stalest_first)
    return fleet


def _tenant(row: _Row) -> Tenant:
    return Tenant(pk=row.tenant, name=row.name, workspace_id=row.workspace)


#: Creating an object takes longer than judging its backups, and most tenants are only counted.
_NOT_SHOWN = Tenant()


def _freshness(row: _Row, now: dt.datetime, tenant: Tenant) -> Freshness:
    times = [
        ScheduleTimes(
            schedule,
            cron,
            timezone,
            dt.datetime.fromisoformat(next_run_at) if next_run_at else None,
            dt.timedelta(hours=hours) if hours else None,
        )
        for schedule, cron, timezone, next_run_at, hours in json.loads(row.schedules or "[]")
    ]
    objectives = build_objectives(row.common_hours, row.own_hours)
    return Freshness(tenant, row.ended_at, times, now, objectives)
