"""Who must have a second factor, by the setting of the installation and by the workspaces."""

from __future__ import annotations

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from tenancy.http import Request
from tenancy.models import Membership, SupportAccess
from tenancy.roles import Role

#: Pages on which a second factor is added, and those that only concern the account.
EXEMPT = frozenset(
    {
        *("account", "password_change", "session_end", "sign_out_everywhere"),
        *("second_factor_required", "app_add", "passkey_add", "factor_remove"),
        *("recovery_codes_create", "identity_confirm"),
    }
)


def lacks_second_factor(request: Request) -> bool:
    """Return whether the user must have a second factor and has none.

    A sign-in with an identity provider is as strong as the provider requires.
    """
    methods = {record["method"] for record in get_authentication_records(request, request.user)}
    if methods & {"mfa", "socialaccount"}:
        return False
    return bool(request.session.lacks_second_factor)  # type: ignore[attr-defined]


def user_lacks_second_factor() -> Q:
    """Return the condition on a session; it is read with the session, at no further query."""
    memberships = Membership.objects.filter(user=OuterRef("user"))
    accesses = SupportAccess.objects.active().filter(user=OuterRef("user"))
    required = Q(Exists(memberships.filter(workspace__requires_second_factor=True)))
    required |= Q(Exists(accesses.filter(workspace__requires_second_factor=True)))
    if settings.SECOND_FACTOR_REQUIRED == "owners":
        required |= Q(Exists(memberships.filter(role=Role.OWNER))) | Q(user__is_staff=True)
    elif settings.SECOND_FACTOR_REQUIRED == "everyone":
        required = Q(user__isnull=False)
    return required & ~Q(Exists(Authenticator.objects.filter(user=OuterRef("user"))))
