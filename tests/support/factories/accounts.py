"""Invitations, second factors, and sign-ins that are not recent."""

from __future__ import annotations

import contextlib
import datetime as dt

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from accounts.access_tokens import services as tokens
from accounts.identity import CONFIRMED_KEY
from accounts.invitations import services
from accounts.invitations.models import Invitation
from accounts.models import AccessToken, Session
from accounts.second_factor import services as second_factor
from accounts.second_factor import totp
from accounts.sessions import SessionStore
from tenancy.db import database_now
from tenancy.models import User, Workspace
from tenancy.roles import Role


def create_invitation(
    workspace: Workspace,
    email: str = "nadia@example.com",
    role: Role = Role.OPERATOR,
    *,
    by: User | None = None,
) -> tuple[Invitation, str]:
    """Create a pending invitation; return it and the token of its link."""
    return services.invite(workspace, email, role, by=by)


def create_token(user: User, workspace: Workspace, name: str = "Laptop") -> AccessToken:
    """Create a personal access token of a member."""
    new = tokens.create_personal_token(user, workspace, name=name, role=Role.OPERATOR, days=30)
    return new.token


def create_service_token(
    workspace: Workspace, *, by: User, name: str = "Nightly report"
) -> AccessToken:
    """Create a service token of a workspace, as an owner."""
    new = tokens.create_service_token(workspace, by=by, name=name, role=Role.OPERATOR, days=90)
    return new.token


#: The secret of the authenticator apps of the tests.
APP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(secret: str = APP_SECRET, steps: int = 0, *, now: dt.datetime | None = None) -> str:
    """Return the code that an app shows now, or some time steps from now."""
    step = totp.step_at(now or database_now()) + steps
    return str(format_hotp_value(hotp_value(secret, step)))


def add_app(user: User) -> None:
    """Add an app; its first code is of the past step, so that the current one is not used yet."""
    # At the moment between two steps, the code is too old when it arrives.
    with contextlib.suppress(second_factor.CodeRefused):
        second_factor.add_app(user, APP_SECRET, code_of(steps=-1))
        return
    second_factor.add_app(user, APP_SECRET, code_of(steps=-1))


def make_sign_in_older(user: User, seconds: float) -> None:
    """Let the last confirmation in every session of the user be older."""
    for row in Session.objects.filter(user=user):
        data = SessionStore().decode(row.session_data)
        data[CONFIRMED_KEY] -= seconds
        Session.objects.filter(pk=row.pk).update(session_data=SessionStore().encode(data))
