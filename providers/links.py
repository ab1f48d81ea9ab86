"""Links from a run to the connection that it used."""

from __future__ import annotations

from typing import Any

from operations.context import register_context_key
from operations.links import Link, related_link
from operations.models import OperationRun
from providers.models import ProviderConnection
from tenancy.models import User

register_context_key("provider_connection_id", "Connection", int)


@related_link("provider_connection_id")
def connection_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """Return the link to the connection of the run."""
    connections = ProviderConnection.objects.visible_to(user).select_related("workspace")
    connection = connections.filter(workspace=run.workspace_id, pk=value).first()
    if connection is None:
        return None
    url = connection.get_absolute_url()
    return Link(f"Connection: {connection.name}", url, "provider_connection")
