"""Checks of the settings for sign-in."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@register()
def check_identity_providers(**_: Any) -> list[CheckMessage]:
    """Report a provider that cannot work, or that would let every organization in."""
    errors: list[CheckMessage] = []
    if settings.ENTRA_CLIENT_ID and not _GUID.fullmatch(settings.ENTRA_TENANT_ID):
        errors.append(
            Error(
                "ENTRA_TENANT_ID is not the id of a tenant.",
                hint="Names such as “common” would let the users of every tenant sign in.",
                id="accounts.E001",
            )
        )
    if settings.OIDC_CLIENT_ID and not settings.OIDC_ISSUER.startswith("https://"):
        errors.append(Error("OIDC_ISSUER is not an https:// address.", id="accounts.E002"))
    if settings.SESSION_IDLE_SECONDS < 60:
        errors.append(
            Error(
                "SESSION_IDLE_SECONDS is shorter than a minute.",
                hint="Activity is recorded once a minute.",
                id="accounts.E003",
            )
        )
    has_provider = settings.ENTRA_CLIENT_ID or settings.OIDC_CLIENT_ID
    if not settings.LOCAL_PASSWORDS and not has_provider:
        errors.append(
            Error("LOCAL_PASSWORDS is false and no provider is configured.", id="accounts.E004")
        )
    return errors
