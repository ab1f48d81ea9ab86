"""From a run to the connection it used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch

from operations.links import Link, related_link
from providers.models import ProviderConnection

if TYPE_CHECKING:
    from operations.models import OperationRun
    from tenancy.models import User


@related_link("provider_connection_id")
def connection_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The connection, for those who may see it."""
    visible = ProviderConnection.objects.visible_to(user).select_related("workspace")
    found = visible.filter(pk=value, workspace_id=run.workspace_id).first()
    if found is None:
        return None
    try:
        return Link(found.name, found.get_absolute_url(), "connection")
    except NoReverseMatch:
        return None
