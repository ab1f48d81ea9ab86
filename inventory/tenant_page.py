"""The inventory panel of a tenant's page, and the policies column of the list of tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from inventory.last_sync import last_syncs, last_syncs_of
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from operations.states import RunOutcome
from operations.types import OperationRunType
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.roles import Capability
from tenancy.tenant_page import (
    Fact,
    Panel,
    Start,
    register_start,
    tenant_fact,
    tenant_panel,
    tenant_values,
)

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


@tenant_values(order=30)
def inventory_values() -> dict[str, Any]:
    """The number of objects of each kind."""
    return {
        f"{model._meta.model_name}_count": Coalesce(  # noqa: SLF001 - Django's own API
            Subquery(_count_by_tenant(model.objects.filter(tenant=OuterRef("pk")))), 0
        )
        for _, _, model, _ in _PANEL_ROWS
    }


@tenant_panel(order=30)
def inventory(request: Request, tenant: Tenant) -> Panel:
    """The number of objects of each kind, and the last sync of each."""
    syncs = last_syncs_of(tenant, [run_type for *_, run_type in _PANEL_ROWS])
    rows = [
        {
            "label": label,
            "url": f"{reverse(url_name, args=[tenant.workspace.slug])}?tenant={tenant.pk}",
            "count": getattr(tenant, f"{model._meta.model_name}_count"),  # noqa: SLF001
            "sync": syncs.get(run_type),
        }
        for label, url_name, model, run_type in _PANEL_ROWS
    ]
    return "inventory/_tenant_panel.html", {"rows": rows}


@tenant_fact("Policies", order=30)
def policies(tenants: Sequence[Tenant]) -> dict[int, Fact]:
    """The number of policies of each tenant, and the age of its last sync."""
    counted = _count_by_tenant(Policy.objects.filter(tenant__in=tenants))
    counts = dict(counted.values_list("tenant", "count"))
    syncs = last_syncs(OperationRunType.INVENTORY_SYNC, tenants)
    return {
        tenant.pk: _fact(tenant, counts.get(tenant.pk, 0), syncs.get(tenant.pk))
        for tenant in tenants
    }


def _count_by_tenant(objects: Any) -> Any:
    """The number of those of these objects that are present, in a row for each tenant."""
    by_tenant = objects.present().order_by().values("tenant")
    return by_tenant.annotate(count=Count("pk")).values("count")


def _fact(tenant: Tenant, count: int, sync: Any) -> Fact:
    if sync is None:
        return Fact("Never synced", state="warn")
    url = f"{reverse('policy_list', args=[tenant.workspace.slug])}?tenant={tenant.pk}"
    if sync.is_active:
        return Fact(f"{count:,}, syncing", url)
    state = "" if sync.outcome == RunOutcome.SUCCEEDED else "warn"
    return Fact(f"{count:,}", url, state, at=sync.completed_at)
