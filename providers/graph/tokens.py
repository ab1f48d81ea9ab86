"""Access tokens, through MSAL, kept for the whole process.

MSAL talks to the network in its constructor, so it is built when the first token is wanted. It
remembers refusals for a minute; it is thrown away after each one, so that a retry after the
operator fixed something asks again.
"""

from __future__ import annotations

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
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from operations.reasons import Blocked, SafeError
from providers.graph.errors import GraphError, Transient, classify_sign_in, network_error
from providers.graph.http import Http, Reply, UnreadableAnswer
from providers.graph.retry import parse_retry_after
from redaction.known_secrets import register_secret

MAX_APPS = 500


class TokenSource(Protocol):
    """Where a client gets its bearer token from."""

    def token(self) -> str:
        """A token that is valid now; a network request only when none is at hand."""

    def forget(self) -> None:
        """Throw the token away: the next one is fetched."""


@dataclass(frozen=True)
class SignIn:
    """What is needed to get a token. `connection` is any key that tells connections apart."""

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
        """The connection and a fingerprint of how it signs in: another secret, another token."""
        parts = (self.authority, self.client_id, self.scope, self.credential, self.ca_bundle)
        return self.connection, hashlib.sha256("\0".join(parts).encode()).hexdigest()


class MsalTokens:
    """The tokens of one connection; every instance for the same sign-in shares them."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def token(self) -> str:
        """See `TokenSource`.

        Raises:
            GraphError: sign-in failed; Transient if it may work later.
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
    """MSAL's application for one sign-in, once it was needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._app: Any = None
        self._http: _MsalHttp | None = None
        self._last = ""

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
        return self._known(str(result["access_token"]))

    def _application(self, sign_in: SignIn) -> Any:
        if self._app is None:
            self._http = _MsalHttp(_http(sign_in.ca_bundle, sign_in.trust_env))
            self._app = msal.ConfidentialClientApplication(
                sign_in.client_id,
                client_credential=_msal_credential(sign_in),
                authority=sign_in.authority,
                instance_discovery=False,
                http_client=self._http,
            )
        return self._app

    def _failure(self) -> GraphError | Blocked:
        """The error of the last answer; without one, MSAL could not use the certificate."""
        reply = self._http.last if self._http else None
        self.drop()
        if reply is None:
            return Blocked("credential_malformed")
        if reply.status == 200:
            return Transient("answer_unreadable")
        retry_after = parse_retry_after(reply.headers.get("retry-after"))
        return classify_sign_in(reply.status, _body(reply), retry_after)

    def _known(self, token: str) -> str:
        if token != self._last:
            register_secret(token)
            self._last = token
        return token


def permissions_in(token: str) -> frozenset[str] | None:
    """The application permissions that a token names; None where it names none that we can read.

    Good for a forecast only. What a token looks like is between Entra and Graph, and Graph decides.
    """
    try:
        roles = jwt.decode(token, options={"verify_signature": False}).get("roles")
    except jwt.InvalidTokenError:
        return None
    return frozenset(map(str, roles)) if isinstance(roles, list) else None


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
    """Start with no token at hand, as a new process does."""
    with _SLOTS_LOCK:
        _SLOTS.clear()


@functools.lru_cache(maxsize=8)
def _http(ca_bundle: str, trust_env: bool) -> Http:
    return Http(ca_bundle=ca_bundle, trust_env=trust_env)


class _MsalHttp:
    """What MSAL wants of an HTTP library, over ours; remembers the last answer."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.last: Reply | None = None

    def get(self, url: str, params: Any = None, headers: Any = None, **_: object) -> _MsalReply:
        return self._send("GET", url, params, headers)

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: object
    ) -> _MsalReply:
        content = data if isinstance(data, str) else urlencode(data or {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._send("POST", url, params, headers, content.encode())

    def _send(
        self, method: str, url: str, params: Any, headers: Any, content: bytes | None = None
    ) -> _MsalReply:
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        self.last = None
        try:
            self.last = self._http.send(method, url, headers=_texts(headers), content=content)
        except (httpx2.TransportError, UnreadableAnswer) as error:
            raise network_error(error, url) from error
        return _MsalReply(self.last)

    def close(self) -> None:
        """The pool is shared and stays."""


class _MsalReply:
    def __init__(self, reply: Reply) -> None:
        self.status_code = reply.status
        self.text = reply.body.decode("utf-8", "replace")
        self.headers = dict(reply.headers)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise ValueError(f"HTTP {self.status_code}")


def _texts(headers: Mapping[str, object] | None) -> dict[str, str]:
    """MSAL puts None under headers it has no value for."""
    return {name: str(value) for name, value in (headers or {}).items() if value is not None}


def _body(reply: Reply) -> Mapping[str, object]:
    try:
        return reply.json()
    except UnreadableAnswer:
        return {}


_KEY = re.compile(r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----.+?-----END [A-Z ]+-----", re.DOTALL)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _msal_credential(sign_in: SignIn) -> str | dict[str, str]:
    """The secret as it is; or the private key and the certificate found in the PEM text."""
    if not sign_in.is_certificate:
        return sign_in.credential
    key, certificate = read_certificate(sign_in.credential)
    return {"private_key": key, "public_certificate": certificate}


def read_certificate(text: str) -> tuple[str, str]:
    """The private key and its certificate in a PEM text, in any order.

    Raises:
        Blocked: `credential_malformed`, one is missing, unreadable, or not the other's.
    """
    key, certificate = _KEY.search(text), _CERTIFICATE.search(text)
    try:
        if key and certificate and _belong_together(key[0].encode(), certificate[0].encode()):
            return key[0], certificate[0]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise Blocked("credential_malformed")


def _belong_together(key: bytes, certificate: bytes) -> bool:
    ours = load_pem_private_key(key, password=None).public_key()
    return ours == load_pem_x509_certificate(certificate).public_key()
