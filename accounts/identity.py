"""Confirmation of the identity: a recent sign-in, or a password, passkey or identity once more.

The form that needs it stays in the browser: the page that asks contains everything that was entered
and sends it again with the answer, so that nothing is lost and no secret is stored on the server.
An identity provider leads back to the page of the form instead, where `static/runledger.js` fills in
what was entered.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.id_tokens import is_signed_in_since
from accounts.identity_providers import IdentityProvider, identity_providers
from accounts.provider import SignInRefused
from accounts.returning import own_path
from accounts.second_factor import passkeys, services
from accounts.second_factor.passkeys import PasskeyRefused
from audit.events import record
from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import User
from tenancy.passwords import TooManyPasswords

#: When the user last signed in or confirmed the identity in this session, in seconds.
CONFIRMED_KEY = "identity_confirmed_at"
#: The fields of the page that asks; all others belong to the form that is kept.
_PREFIX = "confirm_"
_WRONG_PASSWORD = "The password is incorrect."  # noqa: S105  # nosec B105
_TOO_MANY_PASSWORDS = "Other people are signing in at this moment. Try again in a few seconds."  # nosec B105
_PASSKEY_REFUSED = "The passkey was not accepted. Try again."


def remember_confirmation(session: SessionBase) -> None:
    """Record that the user has just proved who they are."""
    session[CONFIRMED_KEY] = request_now().timestamp()


def is_confirmed(session: SessionBase) -> bool:
    """Return whether the user has signed in or confirmed the identity recently."""
    limit = dt.timedelta(minutes=settings.RECENT_SIGN_IN_MINUTES).total_seconds()
    return request_now().timestamp() - float(session.get(CONFIRMED_KEY, 0)) < limit


def ask_to_confirm(request: Request) -> HttpResponse | None:
    """Check the answer of the user, or ask; return None if the request may continue."""
    is_answer = request.method == "POST" and f"{_PREFIX}for" in request.POST
    error = _check_answer(request) if is_answer else ""
    if not is_answer or error:
        return _ask(request, error)
    remember_confirmation(request.session)
    record("identity_confirmed", request=request, user=request.user)
    if request.POST[f"{_PREFIX}for"] == "GET":
        return redirect(request.get_full_path())
    return None


def confirm_with_provider(request: HttpRequest, sociallogin: SocialLogin) -> None:
    """Accept a sign-in at an identity provider as the confirmation; it opens no new session.

    Raises:
        SignInRefused: it is no identity of this user, or the user did not sign in there just now.
    """
    provider, started_at = sociallogin.provider, sociallogin.state["started_at"]
    if not sociallogin.is_existing or sociallogin.user != request.user:
        raise SignInRefused("other_identity")
    if not is_signed_in_since(provider.claims, started_at, now=request_now().timestamp()):
        raise SignInRefused("not_recent")
    remember_confirmation(request.session)
    details = {"provider": provider.name}
    record("identity_confirmed", request=request, user=sociallogin.user, details=details)


def connected_providers(user: User) -> list[IdentityProvider]:
    """Return the identity providers with which the user can sign in."""
    identities = SocialAccount.objects.filter(user=user)
    connected = set(identities.values_list("provider", flat=True))
    return [provider for provider in identity_providers() if provider.id in connected]


def _check_answer(request: Request) -> str:
    """Return what is wrong with the password or the passkey; nothing if it is right."""
    user = request.user
    if response := request.POST.get(f"{_PREFIX}passkey"):
        try:
            passkeys.verify(response, user)
        except PasskeyRefused:
            return _PASSKEY_REFUSED
        return ""
    password = request.POST.get(f"{_PREFIX}password", "")
    # The backends count wrong passwords, and lock the user out like a sign-in.
    try:
        confirmed = authenticate(request, username=user.get_username(), password=password)
    except TooManyPasswords:
        return _TOO_MANY_PASSWORDS
    return "" if confirmed == user else _WRONG_PASSWORD


def _ask(request: Request, error: str) -> HttpResponse:
    posted = request.POST if request.method == "POST" else {}
    page = own_path(request, "Referer") if posted else request.get_full_path()
    factors = services.second_factors(request.user)
    has_passkey = factors.filter(type=Authenticator.Type.WEBAUTHN).exists()
    context: dict[str, Any] = {
        "error": error,
        "kept": [
            (name, value)
            for name, values in (request.POST.lists() if posted else ())
            for value in values
            if not name.startswith(_PREFIX) and name != "csrfmiddlewaretoken"
        ],
        "confirm_for": posted.get(f"{_PREFIX}for") or request.method,
        "confirm_next": posted.get(f"{_PREFIX}next") or page or "/",
        "providers": connected_providers(request.user),
        "has_password": settings.LOCAL_PASSWORDS and request.user.has_usable_password(),
        "request_options": passkeys.request_options(request.user) if has_passkey else None,
        "minutes": settings.RECENT_SIGN_IN_MINUTES,
    }
    return render(request, "accounts/confirm_identity.html", context, status=403)
