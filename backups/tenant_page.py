"""The backup panel of a tenant's page, and the backup column of the list of tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backups.freshness import build_freshness, freshness_of_tenants, freshness_values
from backups.models import BackupSchedule, BackupSet, PolicyChange
from tenancy.capabilities import capabilities_of
from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.roles import Capability
from tenancy.tenant_page import Fact, Panel, tenant_fact, tenant_panel, tenant_values

SCHEDULES, CHANGES = 20, 5


@tenant_values(order=10)
def backup_values() -> dict[str, Any]:
    """What the freshness of the tenant needs."""
    return dict(freshness_values())


@tenant_panel(order=10)
def backups(request: Request, tenant: Tenant) -> Panel:
    """The age of the tenant's last complete backup, and its schedules."""
    allowed = capabilities_of(request.user, tenant.workspace)
    sets = BackupSet.objects.visible_to(request.user).filter(tenant=tenant).complete()
    visible = BackupSchedule.objects.visible_to(request.user)
    schedules = list(visible.filter(tenant=tenant, deleted_at=None).with_scope())
    unpaused = [schedule for schedule in schedules if not schedule.is_paused]
    return "backups/_tenant_backups.html", {
        "last": sets.with_scope().order_by("-ended_at", "-id").first(),
        "freshness": build_freshness(tenant, unpaused, request_now()),
        "schedules": schedules[:SCHEDULES],
        "may_start": Capability.START_BACKUP in allowed,
        "may_manage": Capability.MANAGE_SCHEDULES in allowed,
    }


@tenant_panel(order=15)
def changes(request: Request, tenant: Tenant) -> Panel:
    """The latest changes that the backups of the tenant found."""
    visible = PolicyChange.objects.visible_to(request.user).filter(tenant=tenant)
    latest = visible.with_scope().order_by("-created_at", "-id")[:CHANGES]
    return "backups/_tenant_changes.html", {"changes": latest}


@tenant_fact("Last complete backup", order=10)
def last_complete_backup(tenants: Sequence[Tenant]) -> dict[int, Fact]:
    """The age of each tenant's last complete backup, and whether it is late."""
    queryset = Tenant.objects.filter(pk__in=[tenant.pk for tenant in tenants])
    facts = {}
    for row in freshness_of_tenants(queryset):
        if row.age is None:
            facts[row.tenant.pk] = Fact("Never", state="bad")
        else:
            state = "warn" if row.is_late else "good"
            facts[row.tenant.pk] = Fact(state=state, at=row.last_complete_at)
    return facts
