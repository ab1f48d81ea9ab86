"""The runs on a tenant's page and in the list of tenants."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import OuterRef, Subquery

from operations.models import OperationRun
from operations.presentation.summary import state_of
from operations.states import ATTENTION_OUTCOMES
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Fact, Panel, tenant_fact, tenant_panel

PANEL_ROWS = 10


@tenant_panel(order=20)
def runs(request: Request, tenant: Tenant) -> Panel:
    """The newest runs of the tenant."""
    visible = OperationRun.objects.visible_to(request.user).filter(tenant=tenant).with_scope()
    return "operations/_tenant_runs.html", {"runs": visible.newest_first()[:PANEL_ROWS]}


@tenant_fact("Last run", order=20)
def last_run(tenants: Sequence[Tenant]) -> dict[int, Fact]:
    """The outcome of each tenant's newest run; one index lookup per tenant."""
    newest = OperationRun.objects.filter(tenant=OuterRef("pk")).newest_first()
    rows = Tenant.objects.filter(pk__in=[tenant.pk for tenant in tenants])
    ids = rows.annotate(run_id=Subquery(newest.values("pk")[:1])).order_by().values("run_id")
    runs = OperationRun.objects.with_scope().filter(pk__in=ids)
    return {run.tenant_id: _fact(run) for run in runs if run.tenant_id}


def _fact(run: OperationRun) -> Fact:
    state = "warn" if run.outcome in ATTENTION_OUTCOMES else ""
    return Fact(f"{run.label}: {state_of(run).word}", run.get_absolute_url(), state)
