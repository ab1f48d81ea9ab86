"""The overview's panel of connections that somebody has to look after; none where all is well."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from operations.overview import Panel, overview_panel
from providers.models import EXPIRES_SOON_DAYS, ConnectionStatus, ProviderConnection
from tenancy.http import Request
from tenancy.models import Tenant, Workspace

SHOWN = 8


@dataclass(frozen=True)
class Trouble:
    """One thing to look after: whose it is, where to go, and what is wrong."""

    name: str
    url: str
    what: str
    is_bad: bool


@overview_panel(order=15)
def connections(request: Request, workspace: Workspace) -> Panel | None:
    """Tenants that cannot be reached, or soon no more."""
    unreachable, unconnected = _unreachable(workspace), _unconnected(workspace)
    count = unreachable.count() + unconnected.count()
    if not count:
        return None
    troubles = [
        *(_of_connection(connection) for connection in unreachable[:SHOWN]),
        *(_of_tenant(tenant) for tenant in unconnected[:SHOWN]),
    ]
    return "providers/_panel_trouble.html", {
        "troubles": troubles[:SHOWN],
        "more": max(0, count - SHOWN),
    }


def _unreachable(workspace: Workspace) -> QuerySet[ProviderConnection]:
    """The connections in use that failed their check, or whose credential runs out."""
    soon: dt.date = timezone.now().date() + dt.timedelta(days=EXPIRES_SOON_DAYS)
    wrong = Q(status__in=[ConnectionStatus.FAILING, ConnectionStatus.LIMITED])
    used = ProviderConnection.objects.defaults().filter(
        wrong | Q(credential_expires_on__lte=soon), workspace=workspace, tenant__status="active"
    )
    return used.select_related("workspace", "tenant").order_by("credential_expires_on", "name")


def _unconnected(workspace: Workspace) -> QuerySet[Tenant]:
    """The active tenants that have no connection in use."""
    used = ProviderConnection.objects.defaults().filter(tenant=OuterRef("pk"))
    tenants = Tenant.objects.active().filter(~Exists(used), workspace=workspace)
    return tenants.select_related("workspace").order_by("name", "pk")


def _of_connection(connection: ProviderConnection) -> Trouble:
    address = connection.get_absolute_url()
    return Trouble(connection.tenant.name, address, _said(connection), _is_bad(connection))


def _of_tenant(tenant: Tenant) -> Trouble:
    return Trouble(tenant.name, tenant.get_absolute_url(), "No connection", is_bad=False)


def _said(connection: ProviderConnection) -> str:
    if connection.credential_has_expired:
        return "Credential expired"
    if connection.credential_expires_soon:
        return f"Credential expires {connection.credential_expires_on}"
    return str(connection.get_status_display())


def _is_bad(connection: ProviderConnection) -> bool:
    return connection.credential_has_expired or connection.status == ConnectionStatus.FAILING
