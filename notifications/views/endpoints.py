"""The endpoints of webhooks: where a workspace sends its events."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from notifications import endpoints
from notifications.forms import EndpointForm, NewEndpointForm
from notifications.models import WebhookEndpoint
from tenancy.capabilities import has_capability, require_capability
from tenancy.http import (
    Request,
    action,
    form_page,
    page,
    recent_sign_in_required,
    render_checked,
    show_unchanged,
    try_service,
    workspace_or_404,
)
from tenancy.models import Workspace
from tenancy.roles import Capability

#: Deliveries on the page of an endpoint.
MAX_SHOWN = 20


@page
def webhook_endpoint_list(request: Request, slug: str) -> HttpResponse:
    """The endpoints of a workspace."""
    workspace = workspace_or_404(request, slug)
    rows = WebhookEndpoint.objects.visible_to(request.user).filter(workspace=workspace)
    context = {"endpoints": rows.order_by("name")} | _frame(request, workspace)
    return render(request, "notifications/endpoint_list.html", context)


@page
def webhook_endpoint_detail(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """An endpoint with its state, its rules and its last deliveries."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id)
    deliveries = endpoint.deliveries.select_related("event").order_by("-created_at", "-pk")
    context = {
        "endpoint": endpoint,
        "rules": endpoint.rules.with_scope(),
        "deliveries": deliveries[:MAX_SHOWN],
    }
    context |= _frame(request, endpoint.workspace)
    return render(request, "notifications/endpoint_detail.html", context)


@sensitive_post_parameters("url")
@recent_sign_in_required
@form_page
def webhook_endpoint_create(request: Request, slug: str) -> HttpResponse:
    """Add an endpoint, and show its secret once."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    endpoint = WebhookEndpoint(workspace=workspace, created_by_name=request.user.username)
    form = NewEndpointForm(request.POST or None, instance=endpoint)
    if request.method == "POST" and form.is_valid():
        endpoint = form.save(commit=False)
        try:
            secret = endpoints.create_endpoint(endpoint, url=form.cleaned_data["url"])
        except ValidationError as error:
            form.show(error)
        else:
            messages.success(request, "The endpoint is added. Select it in a rule for all members.")
            return _show_secret(request, endpoint, secret)
    return _show_form(request, workspace, form)


@sensitive_post_parameters("url")
@recent_sign_in_required
@form_page
def webhook_endpoint_edit(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """Change the name or the address of an endpoint."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id, to_change=True)
    form = EndpointForm(request.POST or None, instance=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            endpoints.change_endpoint(form.save(commit=False), url=form.cleaned_data["url"])
        except ValidationError as error:
            form.show(error)
        else:
            messages.success(request, "The endpoint is saved.")
            return redirect(endpoint)
    return _show_form(request, endpoint.workspace, form)


@recent_sign_in_required
@form_page
def webhook_endpoint_rotate(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """Replace the secret of an endpoint, and show the new one once."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id, to_change=True)
    if request.method == "POST":
        try:
            secret = endpoints.rotate_secret(endpoint, version=request.POST.get("version", ""))
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return redirect(endpoint)
        messages.success(request, "The secret is rotated.")
        return _show_secret(request, endpoint, secret)
    context = {"endpoint": endpoint, "version": endpoints.secret_version(endpoint)}
    context |= _frame(request, endpoint.workspace)
    return render(request, "notifications/endpoint_rotate.html", context)


@action("webhook_endpoint_detail", "slug", "endpoint_id")
def webhook_endpoint_test(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """Send a test event to an endpoint."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id, to_change=True)
    success = "The test is sent within a minute. Reload this page to see the answer."
    try_service(request, lambda: endpoints.send_test(endpoint, by=request.user), success=success)
    return redirect(endpoint)


@action("webhook_endpoint_detail", "slug", "endpoint_id")
def webhook_endpoint_pause(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """Stop sending to an endpoint; deliveries wait."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id, to_change=True)
    if endpoints.pause(endpoint):
        messages.success(request, "The endpoint is paused. Deliveries wait until you resume it.")
    else:
        # It can also have been deleted at the same moment.
        endpoint = _endpoint_or_404(request, slug, endpoint_id)
        text, at = "The endpoint was already paused", endpoint.paused_at
        show_unchanged(request, text, endpoint.workspace, by=None, at=at)
    return redirect(endpoint)


@action("webhook_endpoint_detail", "slug", "endpoint_id")
def webhook_endpoint_resume(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """Send to a paused or disabled endpoint again."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id, to_change=True)
    if endpoints.resume(endpoint):
        messages.success(request, "Events are sent to the endpoint again.")
    else:
        messages.info(request, "The endpoint is not paused. Nothing was changed.")
    return redirect(endpoint)


@action("webhook_endpoint_detail", "slug", "endpoint_id")
def webhook_endpoint_delete(request: Request, slug: str, endpoint_id: int) -> HttpResponse:
    """Delete an endpoint that no rule sends to."""
    endpoint = _endpoint_or_404(request, slug, endpoint_id, to_change=True)
    is_deleted = try_service(
        request,
        lambda: endpoints.delete_endpoint(endpoint),
        success="The endpoint and its deliveries are deleted.",
    )
    return redirect("webhook_endpoint_list", slug) if is_deleted else redirect(endpoint)


def _endpoint_or_404(
    request: Request, slug: str, endpoint_id: int, *, to_change: bool = False
) -> WebhookEndpoint:
    """Return an endpoint, which owners may change."""
    rows = WebhookEndpoint.objects.visible_to(request.user).select_related("workspace")
    endpoint = get_object_or_404(rows, workspace__slug=slug, pk=endpoint_id)
    if to_change:
        require_capability(request.user, endpoint.workspace, Capability.MANAGE_WORKSPACE)
    return endpoint


def _frame(request: Request, workspace: Workspace) -> dict[str, Any]:
    may_manage = has_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    return {"workspace": workspace, "may_manage": may_manage}


def _show_form(request: Request, workspace: Workspace, form: EndpointForm) -> HttpResponse:
    context = {"workspace": workspace, "endpoint": form.instance, "form": form}
    template = "notifications/endpoint_form.html"
    return render_checked(request, template, context, errors=form.errors)


def _show_secret(request: Request, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    if not secret:
        return redirect(endpoint)
    context = {"workspace": endpoint.workspace, "endpoint": endpoint, "secret": secret}
    return render(request, "notifications/endpoint_secret.html", context)
