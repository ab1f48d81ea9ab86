"""The inventory panel of a tenant's page, and the policies column of the list of tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from django.urls import reverse

from inventory.last_sync import last_syncs
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from operations.states import RunOutcome
from operations.types import OperationRunType
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.roles import Capability
from tenancy.tenant_page import Fact, Panel, Start, register_start, tenant_fact, tenant_panel

_START = (Capability.START_SYNC, "refresh")
register_start(Start("Sync inventory", "inventory_sync", *_START, order=10))
register_start(Start("Sync groups", "directory_groups_sync", *_START, order=11))
register_start(Start("Sync role definitions", "role_definitions_sync", *_START, order=12))

_PANEL_ROWS: tuple[tuple[str, str, Any, OperationRunType], ...] = (
    ("Policies", "policy_list", Policy, OperationRunType.INVENTORY_SYNC),
    ("Groups", "group_list", DirectoryGroup, OperationRunType.DIRECTORY_GROUPS_SYNC),
    (
        "Role definitions",
        "role_definition_list",
        RoleDefinition,
        OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
    ),
)


@tenant_panel(order=30)
def inventory(request: Request, tenant: Tenant) -> Panel:
    """The number of objects of each kind, and the last sync of each."""
    rows = [
        {
            "label": label,
            "url": f"{reverse(url_name, args=[tenant.workspace.slug])}?tenant={tenant.pk}",
            "count": model.objects.visible_to(request.user).present().filter(tenant=tenant).count(),
            "sync": last_syncs(run_type, [tenant]).get(tenant.pk),
        }
        for label, url_name, model, run_type in _PANEL_ROWS
    ]
    return "inventory/_tenant_panel.html", {"rows": rows}


@tenant_fact("Policies", order=30)
def policies(tenants: Sequence[Tenant]) -> dict[int, Fact]:
    """The number of policies of each tenant, and the age of its last sync."""
    present = Policy.objects.present().filter(tenant__in=tenants).order_by()
    counts = dict(present.values_list("tenant").annotate(Count("pk")))
    syncs = last_syncs(OperationRunType.INVENTORY_SYNC, tenants)
    return {
        tenant.pk: _fact(tenant, counts.get(tenant.pk, 0), syncs.get(tenant.pk))
        for tenant in tenants
    }


def _fact(tenant: Tenant, count: int, sync: Any) -> Fact:
    if sync is None:
        return Fact("Never synced", state="warn")
    url = f"{reverse('policy_list', args=[tenant.workspace.slug])}?tenant={tenant.pk}"
    if sync.is_active:
        return Fact(f"{count:,}, syncing", url)
    state = "" if sync.outcome == RunOutcome.SUCCEEDED else "warn"
    return Fact(f"{count:,}", url, state, at=sync.completed_at)
