"""The backup panel of a tenant's page, and the backup column of the list of tenants."""

from __future__ import annotations

from collections.abc import Sequence

from backups.freshness import freshness_of_tenants
from backups.models import BackupSchedule, BackupSet, PolicyChange
from tenancy.capabilities import capabilities_of
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.roles import Capability
from tenancy.tenant_page import Fact, Panel, tenant_fact, tenant_panel

SCHEDULES, CHANGES = 20, 5


@tenant_panel(order=10)
def backups(request: Request, tenant: Tenant) -> Panel:
    """The age of the tenant's last complete backup, and its schedules."""
    allowed = capabilities_of(request.user, tenant.workspace)
    sets = BackupSet.objects.visible_to(request.user).filter(tenant=tenant).complete()
    (freshness,) = freshness_of_tenants(Tenant.objects.filter(pk=tenant.pk))
    schedules = BackupSchedule.objects.visible_to(request.user)
    schedules = schedules.filter(tenant=tenant, deleted_at=None)
    return "backups/_tenant_backups.html", {
        "last": sets.with_scope().order_by("-ended_at", "-id").first(),
        "freshness": freshness,
        "schedules": schedules.with_scope()[:SCHEDULES],
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
