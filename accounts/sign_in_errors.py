"""The page for a sign-in that an identity provider could not complete."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.provider import ProviderUnavailable, SignInRefused
from audit.events import record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SignInError:
    """A cause that the user can read: what happened, and what to do."""

    message: str
    next_step: str
    status: int = 403


UNAVAILABLE = SignInError(
    "The identity provider can't be reached.", "Try again in a few minutes.", status=503
)
UNKNOWN = SignInError(
    "The identity provider did not confirm the sign-in.",
    "Sign in again. If it fails again, contact your administrator.",
)
#: A callback without the state of a sign-in that this browser started.
NOT_STARTED = SignInError(
    "This sign-in took too long, or was started in another browser.", "Sign in again."
)
REFUSED = {
    "token_invalid": SignInError(
        "The answer of the identity provider is not valid for this sign-in.",
        "Sign in again. If it fails again, contact your administrator.",
    ),
    "claim_missing": SignInError(
        "The identity provider did not say who you are.", "Contact your administrator."
    ),
    "foreign_tenant": SignInError(
        "This account belongs to another organization.",
        "Sign in with an account of your organization.",
    ),
    "other_identity": SignInError(
        "This identity is not connected to your account.",
        "Sign in with the identity that you use for this account.",
    ),
    "not_recent": SignInError(
        "The identity provider did not confirm that you signed in just now.",
        "Try again. If it fails again, contact your administrator.",
    ),
    "no_account": SignInError(
        "There is no account for this identity.",
        "Ask an owner of your workspace for an invitation. If you have a password, sign in with it"
        " and connect the identity on your account page.",
    ),
}


def render_sign_in_error(
    request: HttpRequest, provider: Any, exception: Exception | None, *, is_started: bool = True
) -> HttpResponse:
    """Show why the sign-in failed. The log has the cause, but nothing that the provider sent."""
    error = _error_of(exception, is_started=is_started)
    cause = exception.__cause__ if exception and exception.__cause__ else exception
    log.warning(
        "sign-in with %s failed: %s (%s)", provider.name, error.message, type(cause).__name__
    )
    if isinstance(exception, SignInRefused):
        # Anyone can cause the other errors, as often as they like.
        details = {"provider": provider.name, "cause": error.message}
        record("sign_in_failed", request=request, subject=provider.name, details=details)
    context = {"error": error, "reference": getattr(request, "reference", "")}
    return render(request, "accounts/sign_in_failed.html", context, status=error.status)


def _error_of(exception: Exception | None, *, is_started: bool) -> SignInError:
    if isinstance(exception, ProviderUnavailable):
        return UNAVAILABLE
    if isinstance(exception, SignInRefused):
        return REFUSED[exception.code]
    return UNKNOWN if is_started else NOT_STARTED
