"""The first steps of a workspace, from its first tenant to its first backup set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.models import Case, When
from django.urls import reverse

from backups.freshness import Freshness
from operations.reasons import get_reason
from providers.models import ConnectionStatus, ProviderConnection
from tenancy.models import TenantStatus, Workspace
from tenancy.roles import Capability

WORKS = (ConnectionStatus.READY, ConnectionStatus.LIMITED)
ANY_OPERATOR, ANY_MANAGER, ANY_OWNER = "An operator", "A manager", "An owner"


@dataclass(frozen=True)
class Step:
    """One step. `url` is its object if it is done; else the page of the step, for who may do it."""

    title: str
    text: str
    action: str
    url: str
    needs: Capability
    #: Which role has this capability at least.
    who: str
    is_done: bool = False
    has_failed: bool = False
    #: Whether the steps before it are done, so that it can be done now.
    is_possible: bool = True


def checklist(
    workspace: Workspace, rows: Sequence[Freshness], allowed: frozenset[Capability]
) -> dict[str, Any]:
    """Return the steps with their states, for a user with these capabilities."""
    steps: list[dict[str, Any]] = [
        {"step": step, "may": step.needs in allowed} for step in _steps(workspace, rows)
    ]
    to_do = [row for row in steps if not row["step"].is_done]
    return {"rows": steps, "next": to_do[0], "done": len(steps) - len(to_do)}


def _steps(workspace: Workspace, rows: Sequence[Freshness]) -> Iterator[Step]:
    slug = workspace.slug
    tenant = min((row.tenant for row in rows), key=attrgetter("pk"), default=None)
    schedules = [schedule for row in rows for schedule in row.schedules]
    schedule = min(schedules, key=attrgetter("next_run_at"), default=None)
    schedule_url = reverse("schedule_detail", args=[slug, schedule.pk]) if schedule else ""
    connections = ProviderConnection.objects.defaults().filter(
        workspace=workspace, tenant__status=TenantStatus.ACTIVE
    )
    works_first = Case(When(status__in=WORKS, then=0), default=1)
    connection = connections.order_by(works_first, "pk").first()
    connection_url = reverse("connection_detail", args=[slug, connection.pk]) if connection else ""
    yield Step(
        title="Add a tenant",
        text="A Microsoft 365 tenant, with its Entra tenant ID.",
        action="Add tenant",
        url=reverse("tenant_detail", args=[slug, tenant.pk])
        if tenant
        else reverse("tenant_create", args=[slug]),
        needs=Capability.MANAGE_TENANTS,
        who=ANY_OWNER,
        is_done=tenant is not None,
    )
    new = f"{reverse('connection_create', args=[slug])}?tenant={tenant.pk if tenant else ''}"
    yield Step(
        title="Add its connection",
        text="An app registration in the tenant, and its secret or certificate.",
        action="Add connection",
        url=connection_url or new,
        needs=Capability.MANAGE_CONNECTIONS,
        who=ANY_MANAGER,
        is_done=connection is not None,
        is_possible=tenant is not None,
    )
    yield _check(connection, connection_url)
    yield Step(
        title="Schedule backups",
        text="When the tenant is backed up, which policy kinds, and how long sets are kept.",
        action="Add schedule",
        url=schedule_url or reverse("schedule_create", args=[slug]),
        needs=Capability.MANAGE_SCHEDULES,
        who=ANY_MANAGER,
        is_done=schedule is not None,
        is_possible=tenant is not None,
    )
    yield Step(
        title="Get the first complete backup set",
        text="The schedule starts a backup at its next slot. “Back up now” starts it at once.",
        action="Open schedule",
        url=schedule_url,
        needs=Capability.START_BACKUP,
        who=ANY_OPERATOR,
        is_possible=schedule is not None,
    )


def _check(connection: ProviderConnection | None, url: str) -> Step:
    """The step that checks the connection, with what the last check found."""
    text = "The check signs in and says which permissions are missing."
    has_failed = connection is not None and connection.status == ConnectionStatus.FAILING
    if connection and not connection.has_credential:
        text = "Enter the credential of the connection first."
    elif connection and has_failed:
        text = f"The last check failed: {get_reason(connection.check_reason_code).label}."
    return Step(
        title="Check the connection",
        text=text,
        action="Open connection",
        url=url,
        needs=Capability.CHECK_CONNECTION,
        who=ANY_OPERATOR,
        is_done=connection is not None and connection.status in WORKS,
        has_failed=has_failed,
        is_possible=connection is not None,
    )
