"""The link from a tenant's page to the list of its runs and legacy runs."""

from __future__ import annotations

from legacy_runs.models import LegacyRunEntry
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Panel, tenant_panel


@tenant_panel(order=60)
def legacy_runs(request: Request, tenant: Tenant) -> Panel | None:
    """Return a panel with the link if the tenant has legacy runs."""
    rows = LegacyRunEntry.objects.visible_to(request.user).filter(tenant=tenant)
    if not rows.exists():
        return None
    return "legacy_runs/_tenant_panel.html", {}
