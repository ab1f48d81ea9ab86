"""The overview of a workspace, with the panels that apps register, and that of all workspaces."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from operations.overview import panels_for, read_facts
from operations.workspace_columns import columns_for
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Workspace
from tenancy.versions import build_version
from web.live_section import asks_for, has_seen, live_answer, live_section, unchanged

POLL_SECONDS = 5
#: The section with the panels, which refreshes.
PART = "panels"


@page
def overview_all(request: Request) -> HttpResponse:
    """The numbers of every workspace of the user."""
    workspaces = list(Workspace.objects.visible_to(request.user))
    columns = columns_for(request.user, workspaces)
    rows = [
        {
            "workspace": workspace,
            "cells": [
                {
                    "label": column.label,
                    "text": column.text(workspace),
                    "url": column.address(workspace),
                    "outcome": column.outcome if column.counts.get(workspace.pk) else "",
                }
                for column in columns
            ],
        }
        for workspace in workspaces
    ]
    context = {"columns": columns, "rows": rows, "section": "overview"}
    return render(request, "operations/overview_all.html", context)


@page
def overview(request: Request, slug: str) -> HttpResponse:
    """Backup freshness, active runs, runs that need attention, and the last 24 hours."""
    workspace = workspace_or_404(request, slug)
    # Before the panels: a change in between makes another version.
    version = build_version(request, workspace, read_facts(workspace))
    if has_seen(request, PART, version):
        return unchanged()
    first, others = panels_for(request, workspace)
    panels = [{"template": template, "context": context} for template, context in others]
    context = {"workspace": workspace, "first": first, "panels": panels}
    section = live_section(
        request,
        PART,
        "operations/_panels.html",
        context,
        seconds=POLL_SECONDS,
        version=version,
    )
    if asks_for(request, PART):
        return live_answer(request, section)
    return render(
        request,
        "operations/overview.html",
        {"workspace": workspace, "section": "overview", "panels": section},
    )
