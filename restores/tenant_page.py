"""The restores' part of a tenant's page."""

from __future__ import annotations

from restores.models import RestoreRun
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Panel, tenant_panel

SHOWN = 5


@tenant_panel(order=40)
def restores(request: Request, tenant: Tenant) -> Panel | None:
    """The last restores of the tenant; nothing where there was none."""
    mine = RestoreRun.objects.visible_to(request.user).filter(tenant=tenant)
    shown = list(mine.with_scope().with_unknown().newest_first()[:SHOWN])
    return ("restores/_tenant_restores.html", {"restores": shown}) if shown else None
