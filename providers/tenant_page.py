"""Connections on the page of a tenant and in the list of tenants."""

from __future__ import annotations

from collections.abc import Sequence

from providers.models import ConnectionStatus, ProviderConnection
from tenancy.capabilities import has_capability
from tenancy.http import Request
from tenancy.models import Tenant
from tenancy.roles import Capability
from tenancy.tenant_page import Fact, Panel, Start, register_start, tenant_fact, tenant_panel

register_start(
    Start(
        "Check connection",
        "connection_check_tenant",
        Capability.CHECK_CONNECTION,
        icon="shield-check",
        order=40,
    )
)

_STATES = {ConnectionStatus.READY: "good", ConnectionStatus.FAILING: "bad"}


@tenant_panel(order=20)
def connections(request: Request, tenant: Tenant) -> Panel:
    """List the connections of the tenant."""
    visible = ProviderConnection.objects.visible_to(request.user).filter(tenant=tenant)
    context = {
        "connections": list(visible.select_related("workspace").order_by("-is_default", "name")),
        "may_manage": has_capability(request.user, tenant.workspace, Capability.MANAGE_CONNECTIONS),
    }
    return "providers/_tenant_panel.html", context


@tenant_fact("Connection", order=20)
def connection(tenants: Sequence[Tenant]) -> dict[int, Fact]:
    """Return the state of the default connection of each tenant."""
    defaults = ProviderConnection.objects.defaults().filter(tenant__in=tenants)
    facts = {row.tenant_id: _fact(row) for row in defaults.select_related("workspace")}
    return {tenant.pk: facts.get(tenant.pk, Fact("None", state="warn")) for tenant in tenants}


def _fact(connection: ProviderConnection) -> Fact:
    url = connection.get_absolute_url()
    if connection.credential_has_expired:
        return Fact("Credential expired", url, "bad")
    if connection.credential_expires_soon:
        return Fact("Credential expires soon", url, "warn")
    state = _STATES.get(ConnectionStatus(connection.status), "warn")
    return Fact(connection.get_status_display(), url, state)
