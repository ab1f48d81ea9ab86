"""The overview of a workspace: the panels that apps register."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from operations.overview import panels_for
from tenancy.http import Request, page, workspace_or_404
from web.live_section import asks_for, live_answer, live_section

POLL_SECONDS = 5


@page
def overview(request: Request, slug: str) -> HttpResponse:
    """Backup freshness, active runs, runs that need attention, and the last 24 hours."""
    workspace = workspace_or_404(request, slug)
    first, others = panels_for(request, workspace)
    panels = [{"template": template, "context": context} for template, context in others]
    context = {"workspace": workspace, "first": first, "panels": panels}
    section = live_section(
        request, "panels", "operations/_panels.html", context, seconds=POLL_SECONDS
    )
    if asks_for(request, "panels"):
        return live_answer(request, section)
    return render(
        request,
        "operations/overview.html",
        {"workspace": workspace, "section": "overview", "panels": section},
    )
