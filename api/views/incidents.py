"""Read incidents."""

from __future__ import annotations

from typing import Literal

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from api.paging import BY_CREATION, page_by_time
from api.requests import ApiRequest, ListParameters
from api.schemas import IncidentOut, Listed
from operations.models import Incident

router = Router(tags=["Incidents"])


class IncidentParameters(ListParameters):
    state: Literal["open", "closed"] | None = Field(
        None, description="Only incidents in this state."
    )


@router.get("incidents", response=Listed[IncidentOut])
def incident_list(
    request: ApiRequest, parameters: Query[IncidentParameters]
) -> Listed[IncidentOut]:
    """List incidents, newest first."""
    incidents = Incident.objects.visible_to(request.user).filter(workspace=request.workspace)
    if parameters.state == "open":
        incidents = incidents.open()
    elif parameters.state == "closed":
        incidents = incidents.closed()
    return page_by_time(incidents, parameters, BY_CREATION, IncidentOut.of)


@router.get("incidents/{int:incident_id}", response=IncidentOut)
def incident_detail(request: ApiRequest, incident_id: int) -> IncidentOut:
    """Get an incident. Its runs are those with its cause: `GET runs?cause=…`."""
    incidents = Incident.objects.visible_to(request.user).filter(workspace=request.workspace)
    return IncidentOut.of(get_object_or_404(incidents, pk=incident_id))
