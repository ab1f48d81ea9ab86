"""How allauth names this product and its users to authenticators."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """A passkey belongs to the host name of the site, and names the user by user name."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": context.request.get_host().partition(":")[0], "name": "Runledger"}

    def get_public_key_credential_user_entity(self, user: AbstractBaseUser) -> dict[str, Any]:
        name = user.get_username()
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return entity | {"name": name, "display_name": name}
