"""Links from a run to the connection that it used."""

from __future__ import annotations

from functools import cache
from typing import Any

from operations.context import register_context_key
from operations.links import Link, related_link
from operations.models import OperationRun
from providers.models import ProviderConnection
from tenancy.models import User
from tenancy.prepared import ANY_ID, ANY_USER, ANY_WORKSPACE, PreparedQuery

register_context_key("provider_connection_id", "Connection", int)


@related_link("provider_connection_id")
def connection_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """Return the link to the connection of the run."""
    connections = _connections(is_staff=user.is_staff)
    for connection in connections.load(user.pk, run.workspace_id, value):
        connection.workspace = run.workspace
        url = connection.get_absolute_url()
        return Link(f"Connection: {connection.name}", url, "provider_connection")
    return None


@cache
def _connections(*, is_staff: bool) -> PreparedQuery[ProviderConnection]:
    user = User(pk=ANY_USER, is_staff=is_staff)
    connections = ProviderConnection.objects.visible_to(user)
    return PreparedQuery(
        connections.filter(workspace=ANY_WORKSPACE, pk=ANY_ID), [ANY_USER, ANY_WORKSPACE, ANY_ID]
    )
