"""OpenID Connect with allauth: discovery, PKCE, a nonce, and ID tokens that are always verified.

allauth finds the module by its name. Its own provider sends no nonce, does not verify the signature
of a token that it fetched itself, and takes parameters from the query of the sign-in.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider,
    OpenIDConnectProviderAccount,
)
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from requests import RequestException

from accounts.id_tokens import verify_id_token
from accounts.identity_providers import IdentityProvider, IdentityRefused, find_provider
from tenancy.clock import request_now

#: The process that confirms who a signed-in user is; allauth redirects after it without a sign-in.
CONFIRM = AuthProcess.REDIRECT
#: The provider asks even a user who has a session there. `max_age` makes it say when the user
#: answered, which is what counts: parameters can be removed on the way. It is not 0, because
#: Microsoft Entra ID takes it as the lifetime of the token from the password on.
ASK_AGAIN = {"prompt": "login", "max_age": "300"}
#: The addresses that the discovery document must have.
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnavailable(OAuth2Error):  # type: ignore[misc]
    """The provider does not answer, or not as a provider does."""


class SignInRefused(OAuth2Error):  # type: ignore[misc]
    """The answer of the provider is refused. `code` selects the text of the page."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class OidcAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """The requests to a provider."""

    #: The nonce of the sign-in that the callback completes.
    nonce = ""

    @property
    def identity_provider(self) -> IdentityProvider:
        entry = find_provider(self.provider_id)
        assert entry, "the view has looked it up"
        return entry

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document; it must be that of the issuer."""
        if not hasattr(self, "_openid_config"):
            config = self._get_json(self.identity_provider.discovery_url)
            is_complete = all(isinstance(config.get(name), str) for name in ENDPOINTS)
            if not is_complete or config.get("issuer") != self.identity_provider.issuer:
                raise ProviderUnavailable("The discovery document is not that of the issuer.")
            self._openid_config = config
        return self._openid_config

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return request.build_absolute_uri(reverse(f"{self.provider_id}_callback"))

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Exchange the code for tokens.

        Raises:
            SignInRefused: the answer is that of another issuer (RFC 9207).
            ProviderUnavailable: the provider does not answer.
        """
        issuer = self.identity_provider.issuer
        if self.request.GET.get("iss", issuer) != issuer:
            raise SignInRefused("token_invalid")
        try:
            tokens: Mapping[str, Any] = super().get_access_token_data(*args, **kwargs)
        except (RequestException, KeyError, ValueError) as error:
            raise ProviderUnavailable("The token endpoint did not answer.") from error
        return tokens

    def complete_login(
        self, request: HttpRequest, app: Any, token: Any, **kwargs: Any
    ) -> SocialLogin:
        """Return the sign-in of the user whom the verified ID token names.

        Raises:
            SignInRefused: there is no ID token, or it is not valid for this sign-in.
        """
        id_token = kwargs["response"].get("id_token")
        if not isinstance(id_token, str):
            raise SignInRefused("token_invalid")
        try:
            claims = verify_id_token(
                id_token,
                keys=self._get_json(self.openid_config["jwks_uri"]),
                issuer=self.identity_provider.issuer,
                client_id=self.identity_provider.client_id,
                nonce=self.nonce,
            )
            return self.get_provider().sociallogin_from_response(request, claims)
        except IdentityRefused as error:
            raise SignInRefused(error.code) from error

    def _get_json(self, url: str) -> dict[str, Any]:
        try:
            with get_adapter().get_requests_session() as session:
                response = session.get(url)
                response.raise_for_status()
                content = response.json()
        except (RequestException, ValueError) as error:
            raise ProviderUnavailable("The provider did not answer.") from error
        if not isinstance(content, dict):
            raise ProviderUnavailable("The provider did not answer with an object.")
        return content


class OidcProvider(OpenIDConnectProvider):  # type: ignore[misc]
    """One of the providers that the settings name."""

    id = "oidc"
    name = "OpenID Connect"
    account_class = OpenIDConnectProviderAccount
    oauth2_adapter_class = OidcAdapter
    pkce_enabled_default = True
    supports_token_authentication = False
    #: The claims of the user who signs in.
    claims: Mapping[str, Any] = {}

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, **_: Any
    ) -> HttpResponse:
        """Redirect to the provider. Scope and parameters are ours, whatever the request says."""
        nonce = secrets.token_urlsafe(24)
        response: HttpResponse = super().redirect(
            request,
            process,
            next_url,
            nonce=nonce,
            started_at=request_now().timestamp(),
            scope=["openid", "profile", "email"],
            auth_params={"nonce": nonce, **(ASK_AGAIN if process == CONFIRM else {})},
        )
        return response

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        entry = find_provider(self.app.provider_id)
        assert entry, "the view has looked it up"
        self.claims = data
        return entry.identity_of(data)

    def extract_extra_data(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Keep what the account page shows, and nothing else of the token."""
        names = ("name", "preferred_username", "email")
        return {name: str(data[name])[:254] for name in names if data.get(name)}

    def extract_common_fields(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Return the names; the email address identifies no user."""
        return {
            "username": str(data.get("preferred_username") or ""),
            "name": str(data.get("name") or "")[:150],
        }

    def extract_email_addresses(self, data: Mapping[str, Any]) -> list[Any]:
        return []


class OidcCallbackView(OAuth2CallbackView):  # type: ignore[misc]
    """Completes a sign-in, with the nonce of the state that it started with."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.nonce = state["nonce"]
        return state, response


provider_classes = [OidcProvider]
