"""The history of a tenant on its page."""

from __future__ import annotations

from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.tenant_page import Panel, tenant_panel


@tenant_panel(order=90)
def history(request: Request, tenant: Tenant) -> Panel:
    """The last changes of the tenant."""
    return "audit/_tenant_history.html", {"tenant": tenant}
