"""What was sent, when, and with which answer; what was given up is sent again."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from notifications import endpoints, mail
from notifications.models import NotificationDelivery
from tenancy.capabilities import has_capability, require_capability
from tenancy.http import Request, action, page, try_service, workspace_or_404
from tenancy.roles import Capability
from web.keyset import BadCursor, Page, page_of

BAD_CURSOR = "The link to this page is not valid. Show the newest instead."


@page
def notification_delivery_list(request: Request, slug: str) -> HttpResponse:
    """The deliveries of a workspace, newest first."""
    workspace = workspace_or_404(request, slug)
    rows = NotificationDelivery.objects.visible_to(request.user).filter(workspace=workspace)
    may_manage = has_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    context: dict[str, Any] = {"workspace": workspace, "page": Page(), "may_manage": may_manage}
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        context["page"] = page_of(
            rows.select_related("event", "user", "endpoint"), newer=newer, older=older
        )
    except BadCursor:
        context["errors"] = [BAD_CURSOR]
    status = 400 if "errors" in context else 200
    return render(request, "notifications/delivery_list.html", context, status=status)


@action("notification_delivery_list", "slug")
def notification_delivery_send_again(request: Request, slug: str, delivery_id: int) -> HttpResponse:
    """Send an event to the same endpoint once more, or an email that was given up."""
    rows = NotificationDelivery.objects.visible_to(request.user)
    rows = rows.select_related("workspace", "endpoint", "user")
    delivery = get_object_or_404(rows, workspace__slug=slug, pk=delivery_id)
    require_capability(request.user, delivery.workspace, Capability.MANAGE_WORKSPACE)
    channel = endpoints if delivery.endpoint else mail
    try_service(
        request, lambda: channel.send_again(delivery), success="It is sent again within a minute."
    )
    if delivery.endpoint and request.POST.get("from") == "endpoint":
        return redirect(delivery.endpoint)
    return redirect("notification_delivery_list", slug)
