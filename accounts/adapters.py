"""How django-allauth works in this product: addresses, redirects and texts are ours."""

from __future__ import annotations

import contextlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from axes.helpers import get_client_ip_address
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from requests import Session

from accounts.group_roles.services import apply_groups, gives_a_role
from accounts.identity import confirm_with_provider
from accounts.identity_providers import OIDC, identity_providers
from accounts.invitations.services import INVITATION_KEY, InvitationNotValid, invitation_of
from accounts.provider import CONFIRM, SignInRefused
from accounts.sign_in_errors import render_sign_in_error
from tenancy.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up is closed: accounts are created by administrators, owners and identity providers."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Redirect only within this site; allauth also allows every other host of the settings."""
        hosts = {self.request.get_host()}
        return url.isprintable() and url_has_allowed_host_and_scheme(
            url, hosts, self.request.is_secure()
        )

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that lockouts use too."""
        return str(get_client_ip_address(request) or "")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account")

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        messages.error(request, "This account is disabled. Contact your administrator.")
        return redirect("sign_in")


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Sign-in with the identity providers of the settings. No account is joined by its email."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return the providers of the settings; there are none in the database."""
        return [
            SocialApp(
                provider=OIDC,
                provider_id=entry.id,
                name=entry.name,
                client_id=entry.client_id,
                secret=entry.client_secret,
                settings={"server_url": entry.discovery_url},
            )
            for entry in identity_providers()
            if provider in (None, entry.id) and client_id in (None, entry.client_id)
        ]

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        return False

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Create an account for a user who opened the link of an invitation, or whose group has a role.

        Raises:
            ImmediateHttpResponse: the user is neither invited nor in such a group.
        """
        provider = sociallogin.provider
        if gives_a_role(provider.app.provider_id, provider.claims):
            return True
        with contextlib.suppress(InvitationNotValid):
            return bool(invitation_of(request.session.get(INVITATION_KEY, "")))
        error = SignInRefused("no_account")
        raise ImmediateHttpResponse(render_sign_in_error(request, sociallogin.provider, error))

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Confirm who the user is, or let the memberships of a user who signs in follow the groups.

        Raises:
            SignInRefused: the sign-in does not confirm it.
        """
        process = sociallogin.state.get("process")
        if process == CONFIRM:
            confirm_with_provider(request, sociallogin)
        elif process != AuthProcess.CONNECT and sociallogin.is_existing:
            self._apply_groups(sociallogin)

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Create the account, or sign in to the one that a request at the same time has created."""
        identity = sociallogin.account
        try:
            with transaction.atomic():
                user: User = super().save_user(request, sociallogin, form)
                self._apply_groups(sociallogin)
        except IntegrityError:
            saved = SocialAccount.objects.filter(provider=identity.provider, uid=identity.uid)
            if not saved.exists():
                raise
            sociallogin.account = saved.select_related("user").get()
            user = sociallogin.user = sociallogin.account.user
        return user

    def _apply_groups(self, sociallogin: SocialLogin) -> None:
        provider = sociallogin.provider
        apply_groups(sociallogin.user, provider.app.provider_id, provider.claims)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        """Take the name from the identity, and the address from the invitation: that one was sent."""
        user: User = super().populate_user(request, sociallogin, data)
        with contextlib.suppress(InvitationNotValid):
            user.email = invitation_of(request.session.get(INVITATION_KEY, "")).email
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Show what happened.

        Raises:
            ImmediateHttpResponse: always.
        """
        if error == AuthError.CANCELLED:
            messages.info(request, f"You did not sign in with {provider.name}.")
            raise ImmediateHttpResponse(redirect("sign_in"))
        is_started = bool(extra_context and extra_context.get("state"))
        response = render_sign_in_error(request, provider, exception, is_started=is_started)
        raise ImmediateHttpResponse(response)

    def get_requests_session(self) -> Session:
        """Return a session that trusts the authorities of the settings and follows no redirect."""
        session: Session = super().get_requests_session()
        if settings.OIDC_CA_BUNDLE:
            session.verify = settings.OIDC_CA_BUNDLE
            session.trust_env = False
        session.max_redirects = 0
        return session

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: SocialAccount) -> str:
        return reverse("account")
