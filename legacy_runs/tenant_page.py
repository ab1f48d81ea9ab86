"""The link from a tenant's page to the list of its runs and legacy runs."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef

from legacy_runs.models import LegacyRunEntry
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Panel, tenant_panel, tenant_values


@tenant_values(order=60)
def legacy_run_values() -> dict[str, Any]:
    """Whether the tenant has legacy runs."""
    entries = LegacyRunEntry.objects.filter(tenant=OuterRef("pk"), workspace=OuterRef("workspace"))
    return {"has_legacy_runs": Exists(entries)}


@tenant_panel(order=60)
def legacy_runs(request: Request, tenant: Tenant) -> Panel | None:
    """Return a panel with the link if the tenant has legacy runs."""
    if not tenant.has_legacy_runs:  # type: ignore[attr-defined]
        return None
    return "legacy_runs/_tenant_panel.html", {}
