"""Owners invite members; an invited user joins with an account or creates one."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts.identity_providers import identity_providers
from accounts.invitations import mail, services
from accounts.invitations.forms import InvitationForm, NewAccountForm
from accounts.invitations.models import Invitation
from accounts.invitations.services import INVITATION_KEY, InvitationNotValid
from tenancy.capabilities import require_capability
from tenancy.http import (
    Request,
    action,
    form_page,
    page,
    recent_sign_in_required,
    render_checked,
    try_service,
    workspace_or_404,
)
from tenancy.models import Membership, User
from tenancy.roles import Capability, Role


@recent_sign_in_required
@form_page
def invitation_create(request: Request, slug: str) -> HttpResponse:
    """Invite a member by email; the answer is the same whether or not the address has an account."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email, role = form.cleaned_data["email"], Role(form.cleaned_data["role"])
        try:
            invitation, token = services.invite(workspace, email, role, by=request.user)
        except ValidationError as error:
            form.add_error("email", error)
        else:
            _send(request, invitation, token)
            return redirect("member_list", slug)
    context = {
        "workspace": workspace,
        "title": "Invite member",
        "form": form,
        "action": "Send invitation",
        "back": reverse("member_list", args=[slug]),
        "back_title": "Members",
    }
    return render_checked(request, "form_page.html", context, errors=form.is_bound)


@recent_sign_in_required
@action("member_list", "slug")
def invitation_resend(request: Request, slug: str, invitation_id: int) -> HttpResponse:
    """Send a new link; the previous one is no longer valid."""
    invitation = _invitation_or_404(request, slug, invitation_id)
    try:
        token = services.renew(invitation, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        invitation.refresh_from_db()
        _send(request, invitation, token)
    return redirect("member_list", slug)


@recent_sign_in_required
@action("member_list", "slug")
def invitation_revoke(request: Request, slug: str, invitation_id: int) -> HttpResponse:
    """Make the link of a pending invitation invalid."""
    invitation = _invitation_or_404(request, slug, invitation_id)
    try_service(
        request,
        lambda: services.revoke(invitation, by=request.user),
        success=f"The invitation to {invitation.email} is revoked.",
    )
    return redirect("member_list", slug)


@page
@login_not_required
def invitation_open(request: HttpRequest, token: str) -> HttpResponse:
    """Keep the token of a link in the session, so that it is in no other address and no referrer."""
    try:
        services.invitation_of(token)
    except InvitationNotValid:
        return _not_valid(request)
    request.session[INVITATION_KEY] = token
    return redirect("invitation_accept")


@sensitive_post_parameters()
@form_page
@login_not_required
def invitation_accept(request: HttpRequest) -> HttpResponse:
    """Join the workspace with the account that is signed in, or create an account."""
    token = request.session.get(INVITATION_KEY, "")
    try:
        invitation = services.invitation_of(token)
        if isinstance(request.user, User):
            return _accept_as_user(request, invitation, token)
        return _accept_as_new_user(request, invitation, token)
    except InvitationNotValid:
        return _not_valid(request)


def _accept_as_user(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    assert isinstance(request.user, User)
    if request.method == "POST":
        try:
            membership = services.accept(token, request.user)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            _welcome(request, membership)
        return redirect(invitation.workspace)
    return render(request, "accounts/invitation_accept.html", {"invitation": invitation})


def _accept_as_new_user(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    context: dict[str, Any] = {"invitation": invitation, "providers": identity_providers()}
    if not settings.LOCAL_PASSWORDS:
        return render(request, "accounts/invitation_accept.html", context)
    initial = {"username": invitation.email.partition("@")[0]}
    form = NewAccountForm(
        request.POST or None, instance=User(email=invitation.email), initial=initial
    )
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            user = form.save()
            membership = services.accept(token, user)
        login = Login(user=user, redirect_url=_welcome(request, membership))
        response: HttpResponse = perform_password_login(
            request, {"username": user.get_username()}, login
        )
        return response
    context["form"] = form
    return render_checked(request, "accounts/invitation_accept.html", context, errors=form.is_bound)


def _welcome(request: HttpRequest, membership: Membership) -> str:
    """Forget the token, and return the address of the workspace."""
    request.session.pop(INVITATION_KEY, None)
    messages.success(request, f"You are now a member of {membership.workspace.name}.")
    return membership.workspace.get_absolute_url()


def _not_valid(request: HttpRequest) -> HttpResponse:
    request.session.pop(INVITATION_KEY, None)
    return render(request, "accounts/invitation_not_valid.html", status=404)


def _send(request: Request, invitation: Invitation, token: str) -> None:
    if mail.send(request, invitation, token):
        messages.success(request, f"Invitation sent to {invitation.email}.")
    else:
        messages.error(
            request,
            f"The email to {invitation.email} could not be sent. Resend the invitation later.",
        )


def _invitation_or_404(request: Request, slug: str, invitation_id: int) -> Invitation:
    workspace = workspace_or_404(request, slug)
    pending = Invitation.objects.pending().select_related("workspace")
    invitation = get_object_or_404(pending, workspace=workspace, pk=invitation_id)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    return invitation
