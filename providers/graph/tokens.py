"""Gets access tokens through MSAL and caches them for the whole process.

The constructor of MSAL sends requests, so its application is created when the first token is
needed. MSAL caches refusals for a minute, so the application is discarded after each refusal: a
retry after the operator's correction signs in again.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx2
import jwt
import msal
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from operations.reasons import Blocked, SafeError
from providers.graph.errors import GraphError, Transient, classify_sign_in, network_error
from providers.graph.http import Http, Response, UnreadableResponse
from redaction.known_secrets import register_secret
from web.retry_after import parse_retry_after

MAX_APPS = 500


class TokenSource(Protocol):
    """The source of a client's bearer token."""

    def token(self) -> str:
        """Return a valid token; from the cache if possible."""

    def forget(self) -> None:
        """Discard the token, so that the next call fetches a new one."""


@dataclass(frozen=True)
class SignIn:
    """The data of a sign-in. `connection` is any key that identifies the connection."""

    connection: object
    authority: str
    client_id: str
    scope: str
    credential: str = field(repr=False)
    is_certificate: bool = False
    ca_bundle: str = ""
    trust_env: bool = True

    @property
    def key(self) -> tuple[object, str]:
        """The cache key: the connection and a hash of the sign-in, so a new secret has a new token."""
        parts = (self.authority, self.client_id, self.scope, self.credential, self.ca_bundle)
        return self.connection, hashlib.sha256("\0".join(parts).encode()).hexdigest()


class MsalTokens:
    """The tokens of one connection; all instances with the same sign-in share them."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def token(self) -> str:
        """See `TokenSource`.

        Raises:
            GraphError: the sign-in failed; `Transient` if it can succeed later.
            Blocked: `credential_malformed`.
        """
        slot = _slot(self._sign_in.key)
        with slot.lock:
            return slot.token(self._sign_in)

    def forget(self) -> None:
        """See `TokenSource`."""
        slot = _slot(self._sign_in.key)
        with slot.lock:
            slot.drop()


class _Slot:
    """The MSAL application of one sign-in, created when it is needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._app: Any = None
        self._http: _MsalHttp | None = None
        self._last_token = ""  # none yet  # nosec B105

    def drop(self) -> None:
        self._app = self._http = None

    def token(self, sign_in: SignIn) -> str:
        result: Mapping[str, Any]
        try:
            result = self._application(sign_in).acquire_token_for_client([sign_in.scope])
        except SafeError:
            self.drop()
            raise
        except Exception as error:
            raise self._failure() from error
        if "access_token" not in result:
            raise self._failure()
        token = str(result["access_token"])
        if token != self._last_token:
            register_secret(token)
            self._last_token = token
        return token

    def _application(self, sign_in: SignIn) -> Any:
        if self._app is None:
            self._http = _MsalHttp(_http(sign_in.ca_bundle, sign_in.trust_env))
            credential: str | dict[str, str] = sign_in.credential
            if sign_in.is_certificate:
                key, certificate = read_certificate(sign_in.credential)
                credential = {"private_key": key, "public_certificate": certificate}
            self._app = msal.ConfidentialClientApplication(
                sign_in.client_id,
                client_credential=credential,
                authority=sign_in.authority,
                instance_discovery=False,
                http_client=self._http,
            )
        return self._app

    def _failure(self) -> GraphError | Blocked:
        """Return the error of the last response; without one, MSAL cannot use the certificate."""
        response = self._http.last_response if self._http else None
        self.drop()
        if response is None:
            return Blocked("credential_malformed")
        try:
            body, what = response.json(), "JSON without a token"
        except UnreadableResponse as error:
            body, what = {}, error.what
        is_busy = response.status == 429 or response.status >= 500
        if "error" not in body and not is_busy:
            # Not an answer of the sign-in: a proxy, for example, which refuses no credential.
            return Transient("answer_unreadable", what=f"HTTP {response.status} with {what}")
        retry_after = parse_retry_after(response.headers)
        return classify_sign_in(response.status, body, retry_after)


def permissions_in(token: str) -> frozenset[str] | None:
    """Return the application permissions that a token names; None if it is opaque.

    This is a forecast only: the format of tokens is not a public interface, and Graph decides.
    """
    try:
        roles = jwt.decode(token, options={"verify_signature": False}).get("roles")
    except jwt.InvalidTokenError:
        return None
    if not isinstance(roles, list):
        return None
    return frozenset(map(str, roles))


_SLOTS: OrderedDict[object, _Slot] = OrderedDict()
_SLOTS_LOCK = threading.Lock()


def _slot(key: object) -> _Slot:
    with _SLOTS_LOCK:
        slot = _SLOTS.setdefault(key, _Slot())
        _SLOTS.move_to_end(key)
        while len(_SLOTS) > MAX_APPS:
            _SLOTS.popitem(last=False)
        return slot


def forget_all_tokens() -> None:
    """Clear the cache, as in a new process."""
    with _SLOTS_LOCK:
        _SLOTS.clear()


@functools.lru_cache(maxsize=8)
def _http(ca_bundle: str, trust_env: bool) -> Http:
    """Return the connections to sign-in hosts, which the process keeps until its end."""
    http = Http(ca_bundle=ca_bundle, trust_env=trust_env)
    atexit.register(http.close)
    return http


class _MsalHttp:
    """The interface of an HTTP library that MSAL expects; stores the last response."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.last_response: Response | None = None

    def get(self, url: str, params: Any = None, headers: Any = None, **_: object) -> _MsalResponse:
        return self._send("GET", url, params, headers)

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: object
    ) -> _MsalResponse:
        content = data if isinstance(data, str) else urlencode(data or {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._send("POST", url, params, headers, content.encode())

    def _send(
        self, method: str, url: str, params: Any, headers: Any, content: bytes | None = None
    ) -> _MsalResponse:
        if params:
            separator = "&" if "?" in url else "?"
            url = f"{url}{separator}{urlencode(params)}"
        # MSAL sets headers without a value to None.
        texts = {name: str(value) for name, value in (headers or {}).items() if value is not None}
        self.last_response = None
        try:
            response = self._http.send(method, url, headers=texts, content=content)
        except (httpx2.TransportError, UnreadableResponse) as error:
            raise network_error(error, url) from error
        self.last_response = response
        return _MsalResponse(response)

    def close(self) -> None:
        """Do nothing: the pool is shared."""


class _MsalResponse:
    def __init__(self, response: Response) -> None:
        self.status_code = response.status
        self.text = response.body.decode("utf-8", "replace")
        self.headers = dict(response.headers)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise ValueError(f"HTTP {self.status_code}")


_KEY = re.compile(r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----.+?-----END [A-Z ]+-----", re.DOTALL)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def read_certificate(text: str) -> tuple[str, str]:
    """Return the private key and its certificate in a PEM text, in any order.

    Raises:
        Blocked: `credential_malformed`; one is missing or unreadable, they do not belong together,
            or the key is no RSA key.
    """
    key, certificate = _KEY.search(text), _CERTIFICATE.search(text)
    if key is None or certificate is None:
        raise Blocked("credential_malformed")
    try:
        public_key = load_pem_private_key(key[0].encode(), password=None).public_key()
        certified_key = load_pem_x509_certificate(certificate[0].encode()).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Blocked("credential_malformed") from None
    # With another key, MSAL fails after its first request, as if the response had been unreadable.
    if not isinstance(public_key, RSAPublicKey) or public_key != certified_key:
        raise Blocked("credential_malformed")
    return key[0], certificate[0]
