"""The way from a tenant's page to its runs and history in one list."""

from __future__ import annotations

from legacy_runs.models import HistoryEntry
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Panel, tenant_panel


@tenant_panel(order=60)
def history(request: Request, tenant: Tenant) -> Panel | None:
    """A link, where there is history."""
    rows = HistoryEntry.objects.visible_to(request.user).filter(tenant=tenant)
    return ("legacy_runs/_tenant_panel.html", {}) if rows.exists() else None
