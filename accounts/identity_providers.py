"""The identity providers of this installation, and how each names its users.

A user of Microsoft Entra ID is the object id in the tenant (`oid` and `tid`), any other user the
subject of the issuer (`iss` and `sub`). An email address or a name identifies no user: these
change, and a provider lets others use them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

ENTRA = "entra"
OIDC = "oidc"
#: The longest identity that allauth stores.
MAX_IDENTITY = 191


class IdentityRefused(Exception):
    """An identity that may not be used here. `code` selects the text of the page."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class IdentityProvider:
    """An OpenID provider; its other addresses come from the discovery document of the issuer."""

    id: str
    name: str
    issuer: str
    client_id: str
    client_secret: str

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def identity_of(self, claims: Mapping[str, Any]) -> str:
        """Return the text that identifies the user of these claims.

        Raises:
            IdentityRefused: the user belongs to another tenant, or a claim is missing.
        """
        if self.id == ENTRA:
            return _entra_identity(claims)
        identity = f"{claims['iss']} {claims['sub']}"
        if len(identity) <= MAX_IDENTITY:
            return identity
        return hashlib.sha256(identity.encode()).hexdigest()


def identity_providers() -> list[IdentityProvider]:
    """Return the providers that the settings name."""
    providers = []
    if settings.ENTRA_CLIENT_ID:
        issuer = f"{settings.ENTRA_AUTHORITY.rstrip('/')}/{settings.ENTRA_TENANT_ID}/v2.0"
        client = settings.ENTRA_CLIENT_ID, settings.ENTRA_CLIENT_SECRET
        providers.append(IdentityProvider(ENTRA, "Microsoft", issuer, *client))
    if settings.OIDC_CLIENT_ID:
        issuer = settings.OIDC_ISSUER.rstrip("/")
        client = settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET
        providers.append(IdentityProvider(OIDC, settings.OIDC_NAME, issuer, *client))
    return providers


def find_provider(provider_id: str) -> IdentityProvider | None:
    """Return the provider with this id, if the settings name it."""
    return next((entry for entry in identity_providers() if entry.id == provider_id), None)


def _entra_identity(claims: Mapping[str, Any]) -> str:
    tenant, user = claims.get("tid"), claims.get("oid")
    if not (isinstance(tenant, str) and isinstance(user, str) and user):
        raise IdentityRefused("claim_missing")
    if tenant.lower() != settings.ENTRA_TENANT_ID.lower():
        raise IdentityRefused("foreign_tenant")
    return f"{tenant}/{user}".lower()
