"""The last sync of each tenant."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import OuterRef, Subquery

from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.models import Tenant


def last_syncs(run_type: OperationRunType, tenants: Sequence[Tenant]) -> dict[int, OperationRun]:
    """Return the newest run of a type by tenant id; one index lookup per tenant."""
    newest = OperationRun.objects.filter(tenant=OuterRef("pk"), type=run_type)
    newest_id = Subquery(newest.order_by("-created_at", "-id").values("pk")[:1])
    rows = Tenant.objects.filter(pk__in=[tenant.pk for tenant in tenants])
    ids = rows.annotate(run_id=newest_id).values_list("run_id", flat=True)
    runs = OperationRun.objects.with_scope().filter(pk__in=[run_id for run_id in ids if run_id])
    return {run.tenant_id: run for run in runs if run.tenant_id}
