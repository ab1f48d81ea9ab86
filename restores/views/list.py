"""The list of a workspace's restores."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from restores.models import RestoreRun, RestoreStatus
from tenancy.filtering import ListFilter
from tenancy.http import Request, page, workspace_or_404
from web.numbered import numbered_page


@page
def restore_list(request: Request, slug: str) -> HttpResponse:
    """The restores of a workspace, the newest first."""
    workspace = workspace_or_404(request, slug)
    filters = ListFilter(request.GET)
    status = filters.one_of("status", "Status", RestoreStatus.values)
    restores = RestoreRun.objects.visible_to(request.user).filter(workspace=workspace)
    if filters.errors:
        restores = restores.none()
    elif status:
        restores = restores.filter(status=status)
    rows = restores.with_scope().with_unknown().newest_first()
    context = {
        "workspace": workspace,
        "section": "restores",
        "errors": filters.errors,
        "page": numbered_page(rows, request.GET.get("page")),
        "statuses": RestoreStatus.choices,
        "status": status,
    }
    code = 400 if filters.errors else 200
    return render(request, "restores/restore_list.html", context, status=code)
