"""The panel of connections that need attention on the overview."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Window

from operations.overview import Panel, overview_panel
from providers.models import EXPIRES_SOON_DAYS, ConnectionStatus, ProviderConnection
from tenancy.clock import DatabaseTime
from tenancy.http import Request
from tenancy.models import Tenant, Workspace
from tenancy.prepared import ANY_WORKSPACE, PreparedQuery
from tenancy.querysets import CappedCount
from tenancy.versions import Digest

PANEL_ROWS = 8
#: The number of all rows, on each of those that are read.
OF_ALL = Window(Count("*"))


@dataclass(frozen=True)
class ConnectionProblem:
    """A tenant whose connection needs attention: its name, its page, and the problem."""

    name: str
    url: str
    problem: str
    is_error: bool


def _facts(workspace_id: int) -> list[Subquery]:
    """The results of the checks; other changes of connections are in the audit log."""
    failing = _failing_connections(workspace_id)
    columns = ("pk", "status", "credential_expires_on", "tenant__name")
    return [
        Digest(failing.values_list(*columns)[:PANEL_ROWS]),
        CappedCount(failing.order_by().values("pk")),
    ]


@overview_panel(order=15, facts=_facts)
def connections(request: Request, workspace: Workspace) -> Panel | None:
    """List tenants without a working connection; None if there are none."""
    failing, unconnected = (query().load(workspace.pk) for query in (_failing, _unconnected))
    count = sum(rows[0].total for rows in (failing, unconnected) if rows)
    if not count:
        return None
    problems = [_problem_of(connection) for connection in failing]
    problems += [
        ConnectionProblem(tenant.name, tenant.get_absolute_url(), "No connection", is_error=False)
        for tenant in unconnected
    ]
    return "providers/_panel_connections.html", {
        "problems": problems[:PANEL_ROWS],
        "more": max(0, count - PANEL_ROWS),
    }


@cache
def _failing() -> PreparedQuery[Any]:
    rows = _failing_connections(ANY_WORKSPACE).annotate(total=OF_ALL)[:PANEL_ROWS]
    return PreparedQuery(rows, [ANY_WORKSPACE], has_one_plan=False)


@cache
def _unconnected() -> PreparedQuery[Any]:
    rows = _unconnected_tenants(ANY_WORKSPACE).annotate(total=OF_ALL)[:PANEL_ROWS]
    return PreparedQuery(rows, [ANY_WORKSPACE], has_one_plan=False)


def _failing_connections(workspace: int) -> QuerySet[ProviderConnection]:
    """Return the default connections that failed their check or whose credential expires soon."""
    soon = DatabaseTime() + dt.timedelta(days=EXPIRES_SOON_DAYS)
    failed = Q(status__in=[ConnectionStatus.FAILING, ConnectionStatus.LIMITED])
    defaults = ProviderConnection.objects.defaults().filter(
        failed | Q(credential_expires_on__lte=soon), workspace=workspace, tenant__status="active"
    )
    return defaults.select_related("workspace", "tenant").order_by("credential_expires_on", "name")


def _unconnected_tenants(workspace: int) -> QuerySet[Tenant]:
    """Return the active tenants without a default connection."""
    defaults = ProviderConnection.objects.defaults().filter(tenant=OuterRef("pk"))
    tenants = Tenant.objects.active().filter(~Exists(defaults), workspace=workspace)
    return tenants.select_related("workspace").order_by("name", "pk")


def _problem_of(connection: ProviderConnection) -> ConnectionProblem:
    problem = str(connection.get_status_display())
    if connection.credential_has_expired:
        problem = "Credential expired"
    elif connection.credential_expires_soon:
        problem = f"Credential expires {connection.credential_expires_on}"
    is_failing = connection.status == ConnectionStatus.FAILING
    return ConnectionProblem(
        name=connection.tenant.name,
        url=connection.get_absolute_url(),
        problem=problem,
        is_error=connection.credential_has_expired or is_failing,
    )
