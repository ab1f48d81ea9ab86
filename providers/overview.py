"""The overview's panel of connections that need attention; none where there are none."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from operations.overview import Panel, overview_panel
from providers.models import EXPIRES_SOON_DAYS, ConnectionStatus, ProviderConnection
from tenancy.http import Request
from tenancy.models import Tenant, Workspace

PANEL_ROWS = 8


@dataclass(frozen=True)
class ConnectionProblem:
    """A tenant whose connection needs attention: its name, its page, and the problem."""

    name: str
    url: str
    problem: str
    is_error: bool


@overview_panel(order=15)
def connections(request: Request, workspace: Workspace) -> Panel | None:
    """Tenants that cannot be reached, or soon cannot."""
    unreachable, unconnected = _unreachable(workspace), _unconnected(workspace)
    count = unreachable.count() + unconnected.count()
    if not count:
        return None
    problems = [
        *(_problem_of_connection(connection) for connection in unreachable[:PANEL_ROWS]),
        *(_problem_of_tenant(tenant) for tenant in unconnected[:PANEL_ROWS]),
    ]
    return "providers/_panel_connections.html", {
        "problems": problems[:PANEL_ROWS],
        "more": max(0, count - PANEL_ROWS),
    }


def _unreachable(workspace: Workspace) -> QuerySet[ProviderConnection]:
    """The default connections that failed their check, or whose credential expires."""
    soon: dt.date = timezone.now().date() + dt.timedelta(days=EXPIRES_SOON_DAYS)
    failed = Q(status__in=[ConnectionStatus.FAILING, ConnectionStatus.LIMITED])
    used = ProviderConnection.objects.defaults().filter(
        failed | Q(credential_expires_on__lte=soon), workspace=workspace, tenant__status="active"
    )
    return used.select_related("workspace", "tenant").order_by("credential_expires_on", "name")


def _unconnected(workspace: Workspace) -> QuerySet[Tenant]:
    """The active tenants that have no default connection."""
    used = ProviderConnection.objects.defaults().filter(tenant=OuterRef("pk"))
    tenants = Tenant.objects.active().filter(~Exists(used), workspace=workspace)
    return tenants.select_related("workspace").order_by("name", "pk")


def _problem_of_connection(connection: ProviderConnection) -> ConnectionProblem:
    is_failing = connection.status == ConnectionStatus.FAILING
    return ConnectionProblem(
        name=connection.tenant.name,
        url=connection.get_absolute_url(),
        problem=_problem_text(connection),
        is_error=connection.credential_has_expired or is_failing,
    )


def _problem_of_tenant(tenant: Tenant) -> ConnectionProblem:
    return ConnectionProblem(
        tenant.name, tenant.get_absolute_url(), "No connection", is_error=False
    )


def _problem_text(connection: ProviderConnection) -> str:
    if connection.credential_has_expired:
        return "Credential expired"
    if connection.credential_expires_soon:
        return f"Credential expires {connection.credential_expires_on}"
    return str(connection.get_status_display())
