"""The last sync of each tenant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import OuterRef, Subquery

from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.models import Tenant


def last_syncs(run_type: OperationRunType, tenants: Sequence[Tenant]) -> dict[int, OperationRun]:
    """Return the newest run of a type by tenant id; one index lookup per tenant."""
    newest = OperationRun.objects.filter(tenant=OuterRef("pk"), type=run_type).newest_first()
    rows = Tenant.objects.filter(pk__in=[tenant.pk for tenant in tenants])
    ids = rows.annotate(run_id=Subquery(newest.values("pk")[:1])).order_by().values("run_id")
    runs = OperationRun.objects.with_scope().filter(pk__in=ids)
    return {run.tenant_id: run for run in runs if run.tenant_id}


def last_syncs_of(tenant: Tenant, run_types: Sequence[OperationRunType]) -> dict[str, OperationRun]:
    """Return the newest run of the tenant by type; one index lookup per type."""
    runs = OperationRun.objects.filter(tenant=tenant)
    newest: list[Any] = [
        Subquery(runs.filter(type=run_type).newest_first().values("pk")[:1])
        for run_type in run_types
    ]
    return {run.type: run for run in OperationRun.objects.with_scope().filter(pk__in=newest)}
