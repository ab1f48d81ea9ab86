"""The pages on which users and owners create and revoke access tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from accounts.access_tokens import services
from accounts.access_tokens.forms import PersonalTokenForm, ServiceTokenForm
from accounts.access_tokens.models import AccessToken
from accounts.access_tokens.services import NewToken
from accounts.notifications import notify
from tenancy.capabilities import require_capability
from tenancy.http import (
    Request,
    action,
    form_page,
    page,
    recent_sign_in_required,
    render_checked,
    show_unchanged,
    workspace_or_404,
)
from tenancy.models import Workspace
from tenancy.roles import Capability, Role
from web.ids import parse_ids


@page
def access_token_list(request: Request) -> HttpResponse:
    """List the personal access tokens of the user."""
    own = AccessToken.objects.filter(user=request.user)
    tokens = own.listed().select_related("workspace")
    return render(request, "accounts/access_token_list.html", {"tokens": tokens})


@recent_sign_in_required
@form_page
def access_token_create(request: Request) -> HttpResponse:
    """Create a personal access token, and show it once."""
    form = PersonalTokenForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        workspace: Workspace = form.cleaned_data["workspace"]
        try:
            new = services.create_personal_token(request.user, workspace, **_values(form))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _show(request, new, back=reverse("access_token_list"))
    context = {
        "title": "Create access token",
        "form": form,
        "action": "Create token",
        "back": reverse("access_token_list"),
        "back_title": "Access tokens",
    }
    return render_checked(request, "form_page.html", context, errors=form.is_bound)


@action("access_token_list")
def access_token_revoke(request: Request) -> HttpResponse:
    """Revoke a personal access token of the user."""
    own = AccessToken.objects.filter(user=request.user)
    token = own.filter(pk__in=parse_ids([request.POST.get("token", "")])).first()
    _revoke(request, token)
    return redirect("access_token_list")


@page
def workspace_token_list(request: Request, slug: str) -> HttpResponse:
    """List the service tokens of the workspace, and the personal tokens of its members."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    tokens = list(AccessToken.objects.filter(workspace=workspace).listed())
    context = {
        "workspace": workspace,
        "service_tokens": [token for token in tokens if token.is_service],
        "personal_tokens": [token for token in tokens if not token.is_service],
    }
    return render(request, "accounts/workspace_token_list.html", context)


@recent_sign_in_required
@form_page
def service_token_create(request: Request, slug: str) -> HttpResponse:
    """Create a service token of the workspace, and show it once."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    form = ServiceTokenForm(request.POST or None)
    back = reverse("workspace_token_list", args=[slug])
    if request.method == "POST" and form.is_valid():
        try:
            new = services.create_service_token(workspace, by=request.user, **_values(form))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _show(request, new, back=back)
    context = {
        "workspace": workspace,
        "title": "Create service token",
        "form": form,
        "action": "Create token",
        "back": back,
        "back_title": "Access tokens",
    }
    return render_checked(request, "form_page.html", context, errors=form.is_bound)


@action("workspace_token_list", "slug")
def workspace_token_revoke(request: Request, slug: str, token_id: int) -> HttpResponse:
    """Revoke a token of the workspace."""
    workspace = workspace_or_404(request, slug)
    tokens = AccessToken.objects.filter(workspace=workspace).select_related("user")
    token = get_object_or_404(tokens, pk=token_id)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    if _revoke(request, token) and token.user and token.user != request.user:
        notify(token.user, f"{request.user} revoked your access token “{token}”.")
    return redirect("workspace_token_list", slug)


def _values(form: ServiceTokenForm) -> dict[str, Any]:
    values = form.cleaned_data
    return {
        "name": values["name"],
        "role": Role(values["role"]),
        "days": values["days"],
        "operation_types": values["operation_types"],
    }


def _show(request: Request, new: NewToken, *, back: str) -> HttpResponse:
    """Show the secret of a new token; it is in no other response."""
    notify(request.user, f"The access token “{new.token}” was created.")
    context = {"token": new.token, "secret": new.secret, "back": back}
    if new.token.is_service:
        context["workspace"] = new.token.workspace
    return render(request, "accounts/access_token_created.html", context)


def _revoke(request: Request, token: AccessToken | None) -> bool:
    if token is None:
        messages.info(request, "That access token had already ended.")
        return False
    is_revoked = services.revoke(token, by=request.user)
    if is_revoked:
        messages.success(request, f"The access token “{token}” is revoked.")
    else:
        token.refresh_from_db()
        text, by = f"The access token “{token}” was already revoked", token.revoked_by_name
        show_unchanged(request, text, token.workspace, by=by, at=token.revoked_at)
    return is_revoked
