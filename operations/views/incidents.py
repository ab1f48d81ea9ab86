"""The incidents of a workspace, and an incident with its runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from operations.bulk import ACKNOWLEDGE, RETRY, BulkAction
from operations.causes import next_step_of
from operations.models import Incident, OperationRun, OperationRunQuerySet
from operations.reasons import get_reason
from operations.views.bulk import BulkPage
from operations.views.listing import MAX_BULK
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.http import Request, asks_for_csv, form_page, page, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability
from web.csv_export import Columns, csv_of_list
from web.keyset import BadCursor, Page, page_of
from web.live_section import asks_for, live_answer, live_section

#: Open incidents on the list; each has another cause.
MAX_OPEN = 100
EARLIER_SHOWN = 10
POLL_SECONDS = 10
BAD_CURSOR = "The link to this page is not valid. Show the newest instead."


#: The columns of the export.
COLUMNS: Columns = {
    "id": "pk",
    "cause": "cause_text",
    "number": "number",
    "runs": "runs",
    "tenants": "tenants",
    "recovered_runs": "recovered_runs",
    "recovered_tenants": "recovered_tenants",
    "first_run_at": "first_run_at",
    "last_run_at": "last_run_at",
    "opened_at": "created_at",
    "closed_at": "closed_at",
    "close_reason": "close_reason",
}


@page
def incident_list(request: Request, slug: str) -> HttpResponseBase:
    """The open incidents, and the closed ones page by page."""
    workspace = workspace_or_404(request, slug)
    incidents = Incident.objects.visible_to(request.user).select_related("workspace")
    incidents = incidents.filter(workspace=workspace)
    if asks_for_csv(request):
        newest_first = incidents.order_by("-created_at", "-pk")
        return csv_of_list(newest_first, file_name="incidents.csv", columns=COLUMNS)
    context: dict[str, Any] = {"workspace": workspace, "section": "incidents", "page": Page()}
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        context["page"] = page_of(incidents.closed(), newer=newer, older=older)
    except BadCursor:
        context["errors"] = [BAD_CURSOR]
        return render(request, "operations/incident_list.html", context, status=400)
    if context["page"].is_first:
        context["open"] = incidents.open().order_by("-last_run_at", "-pk")[:MAX_OPEN]
    rows = live_section(
        request, "incidents", "operations/_incident_rows.html", context, seconds=POLL_SECONDS
    )
    if asks_for(request, "incidents"):
        return live_answer(request, rows)
    return render(request, "operations/incident_list.html", context | {"rows": rows})


@page
def incident_detail(request: Request, slug: str, incident_id: int) -> HttpResponse:
    """The numbers of an incident, what to do, and its runs."""
    workspace = workspace_or_404(request, slug)
    incident = _visible(request, workspace, incident_id)
    context: dict[str, Any] = {
        "workspace": workspace,
        "section": "incidents",
        "incident": incident,
        "reason": get_reason(incident.cause.partition(":")[0]),
        "next_step": next_step_of(incident.cause),
        "page": Page(),
    }
    runs = _runs(incident).with_scope().select_related("assigned_to")
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        context["page"] = page_of(runs, newer=newer, older=older)
    except BadCursor:
        context["errors"] = [BAD_CURSOR]
        return render(request, "operations/incident_detail.html", context, status=400)
    context["can"] = _permitted(request, workspace, incident)
    seconds = POLL_SECONDS if incident.is_open else 0
    live = live_section(
        request, "incident", "operations/_incident_live.html", context, seconds=seconds
    )
    if asks_for(request, "incident"):
        return live_answer(request, live)
    context |= {"live": live, "earlier": incident.earlier()[:EARLIER_SHOWN]}
    return render(request, "operations/incident_detail.html", context)


@form_page
def incident_retry(request: Request, slug: str, incident_id: int) -> HttpResponse:
    """Say which runs of the incident can be retried, and retry them."""
    workspace = workspace_or_404(request, slug)
    incident = _visible(request, workspace, incident_id)
    require_capability(request.user, workspace, Capability.RETRY_RUN)
    return _bulk_page(request, workspace, incident, RETRY, _unresolved(incident))


@form_page
def incident_acknowledge(request: Request, slug: str, incident_id: int) -> HttpResponse:
    """Say which runs of the incident need an acknowledgment, and acknowledge them."""
    workspace = workspace_or_404(request, slug)
    incident = _visible(request, workspace, incident_id)
    require_capability(request.user, workspace, Capability.ACKNOWLEDGE_RUN)
    runs = _runs(incident).filter(recovered_at__isnull=True, acknowledged_at__isnull=True)
    return _bulk_page(request, workspace, incident, ACKNOWLEDGE, runs)


def _bulk_page(
    request: Request,
    workspace: Workspace,
    incident: Incident,
    bulk_action: BulkAction,
    suggested: OperationRunQuerySet,
) -> HttpResponse:
    bulk_page = BulkPage(
        action=bulk_action,
        workspace=workspace,
        among=_runs(incident),
        section="incidents",
        nothing="Every run of this incident has recovered or is acknowledged.",
        back=(incident.get_absolute_url(), incident.cause_text),
    )
    if request.method == "POST":
        return bulk_page.perform(request)
    return bulk_page.preview(request, list(suggested.with_scope().newest_first()[:MAX_BULK]))


def _visible(request: Request, workspace: Workspace, incident_id: int) -> Incident:
    incidents = Incident.objects.visible_to(request.user).select_related("workspace")
    return get_object_or_404(incidents, workspace=workspace, pk=incident_id)


def _runs(incident: Incident) -> OperationRunQuerySet:
    return OperationRun.objects.filter(incident=incident)


def _unresolved(incident: Incident) -> OperationRunQuerySet:
    """The runs of which each stands for an identity that has not recovered."""
    return _runs(incident).filter(recovered_at__isnull=True, superseded_by__isnull=True)


def _permitted(request: Request, workspace: Workspace, incident: Incident) -> dict[str, bool]:
    allowed = capabilities_of(request.user, workspace)
    return {
        "retry": incident.recovered_runs < incident.runs and Capability.RETRY_RUN in allowed,
        "acknowledge": incident.settled_runs < incident.runs
        and Capability.ACKNOWLEDGE_RUN in allowed,
    }
