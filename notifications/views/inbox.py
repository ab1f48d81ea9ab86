"""The notifications of the signed-in user, and the link that stops the emails."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

from notifications.forms import FrequencyForm
from notifications.models import Frequency, Notification, NotificationSettings
from notifications.services import mark_read
from notifications.unsubscribing import set_frequency, user_of_token
from tenancy.http import Request, action, form_page, page, render_checked
from web.bodies import ignores_body
from web.ids import parse_id
from web.keyset import BadCursor, Page, page_of

BAD_CURSOR = "The link to this page is not valid. Show the newest instead."


@page
def notification_list(request: Request) -> HttpResponse:
    """The notifications of the user in all workspaces, newest first."""
    rows = Notification.objects.of(request.user).select_related("event", "workspace")
    only_unread = request.GET.get("show") == "unread"
    if only_unread:
        rows = rows.unread()
    settings = NotificationSettings.objects.filter(user=request.user).first()
    frequency = settings.frequency if settings else Frequency.IMMEDIATELY
    context: dict[str, Any] = {
        "form": FrequencyForm(initial={"frequency": frequency}),
        "only_unread": only_unread,
        "page": Page(),
    }
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        context["page"] = page_of(rows, newer=newer, older=older)
    except BadCursor:
        context["errors"] = [BAD_CURSOR]
    errors = context.get("errors")
    return render_checked(request, "notifications/notification_list.html", context, errors=errors)


@action("notification_list")
def notification_settings(request: Request) -> HttpResponse:
    """Set how often the user gets email."""
    frequency = request.POST.get("frequency", "")
    if frequency in Frequency.values:
        set_frequency(request.user, Frequency(frequency))
        messages.success(request, "Email settings saved.")
    else:
        messages.error(request, "Select how often emails are sent.")
    return redirect("notification_list")


@action("notification_list")
def notification_read(request: Request) -> HttpResponse:
    """Mark one notification as read, or all up to one that the page showed."""
    up_to = parse_id(request.POST.get("up_to", ""))
    only = parse_id(request.POST.get("notification", ""))
    mark_read(request.user, up_to=only or up_to or 0, only=only is not None)
    return redirect("notification_list")


@ignores_body
@csrf_exempt
@form_page
@login_not_required
def notification_unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop the emails of the user of a link, as RFC 8058 describes: the link itself is the proof."""
    user = user_of_token(token)
    if user is None:
        raise Http404
    if request.method == "POST":
        set_frequency(user, Frequency.OFF)
    context = {"token": token, "is_off": request.method == "POST"}
    return render(request, "notifications/unsubscribe.html", context)
