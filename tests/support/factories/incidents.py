"""Incidents as the ledger itself opens them."""

from __future__ import annotations

from typing import Any

from operations.maintenance.incidents import update_incidents
from operations.models import Incident, OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import Ending
from tenancy.models import Tenant
from tests.support.factories import TenantFactory
from tests.support.factories.operations import create_running_run

OUTAGE = "service_unavailable:HTTP 503"


def fail_for(
    tenant: Tenant, schedule: int = 1, code: str = "service_unavailable", **params: Any
) -> OperationRun:
    """End a run of the tenant with this reason; by default Microsoft Graph is unavailable."""
    error = SafeError(code, **(params or {"status": 503}))
    run = create_running_run(tenant, schedule)
    return OperationRunService().complete(run.pk, ending=Ending.ERROR, error=error)


def succeed_for(tenant: Tenant, schedule: int = 1) -> OperationRun:
    """Complete a run of the tenant, which recovers its earlier problems."""
    return OperationRunService().complete(create_running_run(tenant, schedule).pk)


def create_incident(
    tenant: Tenant, tenants: int = 3, code: str = "service_unavailable", **params: Any
) -> Incident:
    """Open an incident that hits this tenant and others of its workspace."""
    others = TenantFactory.create_batch(tenants - 1, workspace=tenant.workspace)
    runs = [fail_for(each, 4711, code, **params) for each in (tenant, *others)]
    update_incidents()
    return Incident.objects.get(workspace=tenant.workspace, cause=runs[0].cause, closed_at=None)
