"""Events of Django and django-axes: sign-ins, failed ones, lockouts and sign-outs."""

from __future__ import annotations

import re
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from audit.events import record
from tenancy.models import User
from tenancy.signals import sign_in_unlocked


def connect() -> None:
    """Record these events; django-axes handles the signals of Django first."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="audit.signed_out")
    user_login_failed.connect(_sign_in_failed, dispatch_uid="audit.sign_in_failed")
    user_locked_out.connect(_locked_out, dispatch_uid="audit.locked_out")
    sign_in_unlocked.connect(_unlocked, dispatch_uid="audit.unlocked")


def _signed_in(*, request: HttpRequest, user: User, **_: object) -> None:
    record("signed_in", request=request, user=user)


def _signed_out(*, request: HttpRequest, user: User | None, **_: object) -> None:
    if user is not None:
        record("signed_out", request=request, user=user)


def _sign_in_failed(
    *, credentials: dict[str, Any], request: HttpRequest | None = None, **_: object
) -> None:
    """Record a failed sign-in; of those during a lock, the 1st, 10th, 100th and so on."""
    tries: int | None = getattr(request, "tries_during_lock", None)
    if tries is not None and not re.fullmatch("10*", str(tries)):
        return
    name = _user_name(credentials)
    record(
        "sign_in_failed",
        request=request,
        user=User.objects.filter(username=name).first(),
        subject=name,
        details={"tries_during_lock": tries} if tries else {},
    )


def _locked_out(*, request: HttpRequest, username: str | None, **_: object) -> None:
    """Record the begin of a lockout."""
    name = username or ""
    user = User.objects.filter(username=name).first()
    record("sign_in_locked", request=request, user=user, subject=name)


def _unlocked(*, username: str, ip_address: str, **_: object) -> None:
    user = User.objects.filter(username=username).first()
    record("sign_in_unlocked", user=user, subject=username, details={"address": ip_address})


def _user_name(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username") or "").replace("\0", "")
