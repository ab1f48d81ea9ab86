"""The sign-in of Microsoft Entra: discovery, and tokens for registered apps."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dev.graph_sandbox.faults import Faults
from dev.graph_sandbox.messages import Json, Request, Response
from dev.graph_sandbox.store import Store, digest

TOKEN_SECONDS = 3599
#: How far ahead the clock of a client may be.
CLOCK_SKEW_SECONDS = 300
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PATH = re.compile(r"/([^/]+)/(v2\.0/\.well-known/openid-configuration|oauth2/v2\.0/token)")


class SignInDenied(Exception):
    """A sign-in error with its AADSTS number."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error, self.number, self.status = error, number, status


class SignIn:
    """Responds under `/<tenant>/`."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    def respond(self, request: Request) -> Response | None:
        """Return the response, or None if the path does not belong to the sign-in."""
        match = _PATH.fullmatch(request.path)
        if not match:
            return None
        tenant_id = match[1].lower()
        if fault := self._faults.take(tenant_id, "sign_in_proxy"):
            response = Response(int(fault.options.get("status", 407)), fault.options.get("json"))
            if response.body is None:
                response.raw = b"<html><body>Proxy authentication required</body></html>"
            return response
        try:
            self._check_tenant(tenant_id)
            if match[2].endswith("openid-configuration"):
                return Response(200, _configuration(request.base_url, tenant_id))
            return Response(200, self._token(request, tenant_id), {"Cache-Control": "no-store"})
        except SignInDenied as denial:
            return Response(denial.status, _error(denial))

    def _check_tenant(self, tenant_id: str) -> None:
        if self._faults.take(tenant_id, "sign_in_unavailable"):
            raise SignInDenied("temporarily_unavailable", 90033, "A transient error occurred.", 503)
        if not self._store.has_tenant(tenant_id):
            text = f"Tenant '{tenant_id}' not found. Check to make sure you have the correct tenant ID."
            raise SignInDenied("invalid_request", 90002, text)

    def _token(self, request: Request, tenant_id: str) -> Json:
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            raise SignInDenied("unsupported_grant_type", 70003, "The grant type is not supported.")
        client_id = form.get("client_id", "").lower()
        app = self._store.app(tenant_id, client_id)
        if app is None or self._faults.take(tenant_id, "remove_consent"):
            text = f"Application with identifier '{client_id}' was not found in the directory."
            raise SignInDenied("unauthorized_client", 700016, text)
        self._check_credential(tenant_id, client_id, app, form, request)
        if form.get("scope") != f"{request.base_url}/.default":
            raise SignInDenied("invalid_resource", 500011, "The resource principal was not found.")
        return {
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "ext_expires_in": TOKEN_SECONDS,
            "access_token": self.issue(tenant_id, client_id, app["permissions"], request.base_url),
        }

    def _check_credential(
        self, tenant_id: str, client_id: str, app: Json, form: Json, request: Request
    ) -> None:
        if self._faults.take(tenant_id, "expire_credential"):
            text = f"The provided client secret keys for app '{client_id}' are expired."
            raise SignInDenied("invalid_client", 7000222, text, 401)
        if form.get("client_assertion_type") == ASSERTION_TYPE and app["certificate"]:
            audience = f"{request.base_url}/{tenant_id}/oauth2/v2.0/token"
            assertion = form.get("client_assertion", "")
            claims = _assertion_claims(assertion, app)
            is_from_app = claims.get("iss") == claims.get("sub") == client_id
            is_valid = is_from_app and claims.get("aud") == audience
            number, text = 700027, "The certificate with identifier used to sign is not registered."
            now = time.time()
            if is_valid and not claims["iat"] - CLOCK_SKEW_SECONDS < now < claims["exp"]:
                text = "Client assertion is not within its valid time range."
                raise SignInDenied("invalid_client", 700024, text, 401)
        else:
            secret = digest(form.get("client_secret", ""))
            is_valid = bool(app["secret"]) and hmac.compare_digest(secret, app["secret"])
            number, text = 7000215, f"Invalid client secret provided for app '{client_id}'."
        if not is_valid or self._faults.take(tenant_id, "revoke_credential"):
            raise SignInDenied("invalid_client", number, text, 401)

    # --- Tokens -----------------------------------------------------------------------------

    def issue(self, tenant_id: str, client_id: str, permissions: Any, audience: str) -> str:
        """Return a signed token in the format of Entra's."""
        now = int(time.time())
        claims = {
            "aud": audience,
            "tid": tenant_id,
            "appid": client_id,
            "roles": permissions,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "uti": uuid.uuid4().hex,
            "generation": self._store.generation(tenant_id),
        }
        head = _encode(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        body = f"{head}.{_encode(json.dumps(claims).encode())}"
        return f"{body}.{self._sign(body)}"

    def claims(self, authorization: str) -> Json | None:
        """Return the claims of a bearer token that was issued here, valid or not; else None."""
        scheme, _, token = authorization.partition(" ")
        body, _, signature = token.rpartition(".")
        if scheme != "Bearer" or not hmac.compare_digest(self._sign(body), signature):
            return None
        claims: Json = json.loads(_decode(body.partition(".")[2]))
        return claims

    def is_valid(self, claims: Json) -> bool:
        """Return whether Graph accepts a token with these claims."""
        tenant_id = claims["tid"]
        if claims["exp"] < time.time() or not self._store.has_tenant(tenant_id):
            return False
        if claims["generation"] != self._store.generation(tenant_id):
            return False
        faults = ("revoke_credential", "expire_credential", "remove_consent", "refuse_tokens")
        return not any(self._faults.take(tenant_id, name) for name in faults)

    def _sign(self, body: str) -> str:
        key = self._store.signing_key.encode()
        return _encode(hmac.new(key, body.encode(), hashlib.sha256).digest())


def _configuration(base_url: str, tenant_id: str) -> Json:
    return {
        "issuer": f"{base_url}/{tenant_id}/v2.0",
        "token_endpoint": f"{base_url}/{tenant_id}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base_url}/{tenant_id}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base_url}/{tenant_id}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{base_url}/{tenant_id}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
    }


def _error(denial: SignInDenied) -> Json:
    trace_id, correlation_id = uuid.uuid4(), uuid.uuid4()
    now = dt.datetime.now(dt.UTC)
    return {
        "error": denial.error,
        "error_description": (
            f"AADSTS{denial.number}: {denial} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"
        ),
        "error_codes": [denial.number],
        "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
        "trace_id": str(trace_id),
        "correlation_id": str(correlation_id),
        "error_uri": f"https://login.microsoftonline.com/error?code={denial.number}",
    }


def _assertion_claims(assertion: str, app: Json) -> Json:
    """Return the claims of an assertion that the app signed; of another one, none."""
    try:
        head, body, signature = assertion.split(".")
        header = json.loads(_decode(head))
        key = x509.load_pem_x509_certificate(app["certificate"].encode()).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            return {}
        key.verify(_decode(signature), f"{head}.{body}".encode(), _padding(header), hashes.SHA256())
        claims: Json = json.loads(_decode(body))
    except (ValueError, KeyError, InvalidSignature, binascii.Error):
        return {}
    return claims


def _padding(header: Json) -> Any:
    paddings: dict[str, Callable[[], Any]] = {
        "PS256": lambda: padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size),
        "RS256": padding.PKCS1v15,
    }
    return paddings[header["alg"]]()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
