"""The restores panel of a tenant's page."""

from __future__ import annotations

from restores.models import RestoreRun
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Panel, tenant_panel

MAX_RESTORES = 5


@tenant_panel(order=40)
def restores(request: Request, tenant: Tenant) -> Panel | None:
    """The latest restores of the tenant; no panel where there is none."""
    visible = RestoreRun.objects.visible_to(request.user).filter(tenant=tenant)
    latest = list(visible.with_scope().with_unknown().newest_first()[:MAX_RESTORES])
    return ("restores/_tenant_restores.html", {"restores": latest}) if latest else None
