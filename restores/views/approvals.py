"""The decisions that wait for the user, in all workspaces."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from restores.models import RestoreRun
from restores.waiting import MAX_WAITING, requests_waiting_for
from tenancy.http import Request, page


@page
def approval_list(request: Request) -> HttpResponse:
    """The restores and the requests that this user can approve or confirm now; the oldest first."""
    restores = RestoreRun.objects.waiting_for(request.user)
    requests = requests_waiting_for(request.user).select_related("workspace")
    context = {
        "restores": restores.with_scope().order_by("created_at", "pk")[:MAX_WAITING],
        "requests": requests.order_by("created_at", "pk")[:MAX_WAITING],
    }
    return render(request, "restores/approval_list.html", context)
