"""The list of a workspace's restores."""

from __future__ import annotations

from django.http import HttpResponse

from restores.models import RestoreRun, RestoreStatus
from tenancy.filtering import ListFilter
from tenancy.http import Request, page, render_checked, workspace_or_404
from web.numbered import numbered_page


@page
def restore_list(request: Request, slug: str) -> HttpResponse:
    """The restores of a workspace, the newest first."""
    workspace = workspace_or_404(request, slug)
    filters = ListFilter(request.GET)
    status = filters.one_of("status", "Status", RestoreStatus.values)
    visible = RestoreRun.objects.visible_to(request.user).filter(workspace=workspace)
    restores = visible
    if filters.errors:
        restores = visible.none()
    elif status:
        restores = visible.filter(status=status)
    rows = restores.with_scope().with_unknown().newest_first()
    context = {
        "workspace": workspace,
        "section": "restores",
        "title": "Restores",
        "noun": "restore",
        "filters": filters,
        "has_rows": visible.exists(),
        "page": numbered_page(rows, request.GET.get("page")),
        "statuses": RestoreStatus.choices,
        "status": status,
    }
    return render_checked(request, "restores/restore_list.html", context, errors=filters.errors)
