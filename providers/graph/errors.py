"""Classifies the errors of Graph and its sign-in: a class to act on and a reason to display.

The HTTP status decides before Graph's error code, because codes are sometimes empty or wrong. The
text of a server is never repeated: an error contains the words of the reason catalog and validated
values (status, codes, permission, request id), and of what the text names only the properties and
ids that the request contained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2

from operations.reasons import SafeError
from providers.graph.http import UnreadableResponse, is_certificate_failure


class GraphError(SafeError):
    """A failed request to Graph or to its sign-in.

    `retry_after` is the number of seconds that the server asked to wait, if any.
    """

    default_code: ClassVar[str] = "request_refused"
    #: Every further request of the run fails too: its credential, consent or tenant is refused.
    is_blocking_whole_run: ClassVar[bool] = False

    def __init__(
        self,
        code: str = "",
        *,
        request_id: str = "",
        retry_after: float | None = None,
        **params: object,
    ) -> None:
        super().__init__(code or self.default_code, request_id=request_id, **params)
        self.retry_after = retry_after


class Transient(GraphError):
    """The request failed after all retries, but can succeed later."""

    default_code = "service_unavailable"


class UnknownWriteOutcome(GraphError):
    """A write was sent but its response was lost: read the object before writing again."""

    default_code = "write_outcome_unknown"


class CredentialRejected(GraphError):
    """Microsoft refuses the secret, the certificate or the token."""

    default_code = "credential_rejected"
    is_blocking_whole_run = True


class ConsentMissing(GraphError):
    """The tenant has not consented to the app registration, or does not exist."""

    default_code = "consent_missing"
    is_blocking_whole_run = True


class CertificateUntrusted(GraphError):
    """The certificate of the server is not trusted, so no request was sent."""

    default_code = "tls_failed"
    is_blocking_whole_run = True


class PermissionMissing(GraphError):
    """One permission is missing; requests that do not need it still work."""

    default_code = "permission_missing"


class LicenseMissing(GraphError):
    """The tenant has no license for these objects."""

    default_code = "license_missing"


class ObjectNotFound(GraphError):
    """The object does not exist, or was removed while it was read."""

    default_code = "object_gone"


class Conflict(GraphError):
    """The object was changed by someone else, or its name is taken."""

    default_code = "object_conflict"


class InvalidRequest(GraphError):
    """Graph rejects the request; a retry cannot succeed."""

    default_code = "request_refused"


class IncompleteListing(GraphError):
    """A list ended early; an absent object can still exist."""

    default_code = "incomplete_listing"


@dataclass(frozen=True)
class ErrorResponse:
    """The parsed error response: `codes` from outer to inner, `text` with every message."""

    status: int
    codes: tuple[str, ...]
    text: str
    request_id: str = ""
    retry_after: float | None = None

    @property
    def code(self) -> str:
        """The different well-formed codes, from outer to inner, at most three, or an empty text."""
        codes = dict.fromkeys(code for code in self.codes if _CODE.fullmatch(code))
        return ", ".join(list(codes)[:3])


_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: What a text can name: in quotes, after "property", before "property", or an id anywhere.
_NAMED = re.compile(
    r"['\"]([\w.\-]{1,200})['\"]|\b[Pp]roperty:? ([\w.]{1,200})|"
    rf"\b({_GUID.pattern}|[\w.]{{1,200}}(?= property\b))"
)
_REQUEST_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z\-]{7,63}")
_SCOPES = re.compile(r"must have one of the following scopes:\s*([A-Za-z0-9., ]{3,400})(?![\w.])")
# Never a part of a longer word: that could be a part of a secret, which no rule recognizes.
_SCOPE = re.compile(r"(?<![\w.])[A-Z][A-Za-z0-9]{0,59}(?:\.[A-Z][A-Za-z0-9]{0,59}){1,4}(?!\w|\.\w)")
#: How other services than the directory refuse a link to the next page.
_PAGE_TOKEN = re.compile(
    r"\b(?:page|skip|continuation) ?token\b|token not found: token is either invalid or expired",
    re.IGNORECASE,
)
_LICENSE = re.compile(
    r"request not applicable to target tenant|not licensed for this feature"
    r"|doesn'?t have (?:a )?premium license|does not have (?:a )?premium license"
    r"|tenant needs to have .{0,80} license",
    re.IGNORECASE,
)

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 509})
TRANSIENT_CODES = frozenset(
    {"toomanyrequests", "activitylimitreached", "servicenotavailable", "throttledrequest"}
)
FORBIDDEN_CODES = frozenset({"forbidden", "authorization_requestdenied", "accessdenied"})
GONE_CODES = frozenset({"resourcenotfound", "request_resourcenotfound", "itemnotfound"})
CONFLICT_CODES = frozenset({"namealreadyexists", "resourcemodified"})
RESYNC_CODES = frozenset({"resyncrequired", "syncstatenotfound", "directory_expiredpagetoken"})


def parse_error(
    status: int, body: object, headers: Mapping[str, str], retry_after: float | None = None
) -> ErrorResponse:
    """Parse an error response, including nested errors and JSON inside messages."""
    errors = list(_walk(body.get("error") if isinstance(body, dict) else None))
    codes = tuple(code for code, _, _ in errors if code)
    text = "\n".join(message for _, message, _ in errors if message)
    ids = [headers.get("request-id", ""), *(request_id for _, _, request_id in errors)]
    request_id = next((value for value in ids if _REQUEST_ID.fullmatch(value)), "")
    return ErrorResponse(status, codes, text, request_id, retry_after)


def named_in(text: str, sent: object) -> list[str]:
    """Return the properties and ids of a request that the text of its refusal names, at most five.

    A property counts if it is quoted or called a property, so that common words do not.
    """
    properties, ids = set[str](), set[str]()
    _collect(sent, properties, ids)
    named = [
        name
        for quoted, called, word in _NAMED.findall(text)
        if (name := quoted or called or word)
        if name.lower() in ids or properties.issuperset(name.split("."))
    ]
    return list(dict.fromkeys(named))[:5]


def _collect(sent: object, properties: set[str], ids: set[str]) -> None:
    """Add the names of properties and the ids (GUIDs) within a request."""
    if isinstance(sent, dict):
        properties.update(sent)
        for value in sent.values():
            _collect(value, properties, ids)
    elif isinstance(sent, list):
        for value in sent:
            _collect(value, properties, ids)
    elif isinstance(sent, str) and _GUID.fullmatch(sent):
        ids.add(sent.lower())


def classify(
    response: ErrorResponse,
    *,
    noun: str,
    permission: str,
    is_write: bool = False,
    sent: object = None,
) -> GraphError:
    """Return the error of a response that was not a success.

    `noun` names the objects of the request. `permission` is the required permission, used if the
    response names none. `is_write` is whether the request can have changed the tenant. `sent` is the
    body of the request.
    """
    common: dict[str, Any] = {
        "request_id": response.request_id,
        "retry_after": response.retry_after,
        "status": response.status,
        "kind": noun,
    }
    codes = {code.lower() for code in response.codes}
    if response.status == 429 or (response.status < 500 and codes & TRANSIENT_CODES):
        return Transient("throttled", **common)
    if response.status in TRANSIENT_STATUSES or (response.status > 501):
        if is_write:
            return UnknownWriteOutcome(**common)
        return Transient(**common)
    if response.status in (400, 403) and _LICENSE.search(response.text):
        return LicenseMissing(**common)
    if response.status == 403 or (response.status == 401 and codes & FORBIDDEN_CODES):
        return PermissionMissing(permission=_permissions_in(response.text) or permission, **common)
    if response.status == 401:
        return CredentialRejected("token_rejected", **common)
    is_page_refused = response.status == 400 and _PAGE_TOKEN.search(response.text)
    if response.status == 410 or codes & RESYNC_CODES or (is_page_refused and not is_write):
        return ObjectNotFound("resync_required", **common)
    if response.status == 404 or codes & GONE_CODES:
        return ObjectNotFound(**common)
    if response.status in (409, 412) or codes & CONFLICT_CODES:
        return Conflict(**common)
    named = ", ".join(named_in(response.text, sent))
    reason = "request_refused_for" if named else "request_refused"
    return InvalidRequest(reason, error=response.code, named=named, **common)


#: Class and reason of a sign-in error by its AADSTS number.
_SIGN_IN: dict[int, tuple[type[GraphError], str]] = {
    7000215: (CredentialRejected, "credential_rejected"),
    7000222: (CredentialRejected, "credential_expired"),
    700027: (CredentialRejected, "credential_rejected"),
    # The signed request is outside of its time: the clock of this host is wrong.
    700024: (CredentialRejected, "clock_wrong"),
    700016: (ConsentMissing, "app_not_in_tenant"),
    65001: (ConsentMissing, "consent_missing"),
    53003: (ConsentMissing, "blocked_by_conditional_access"),
    90002: (ConsentMissing, "tenant_unknown"),
    900023: (ConsentMissing, "tenant_unknown"),
    5000224: (ConsentMissing, "tenant_unknown"),
}
#: Class and reason by the OAuth error, for numbers that are not in the table above.
_BY_ERROR: dict[str, tuple[type[GraphError], str]] = {
    "invalid_client": (CredentialRejected, "credential_rejected"),
    "unauthorized_client": (ConsentMissing, "app_not_in_tenant"),
    "access_denied": (ConsentMissing, "consent_missing"),
    "temporarily_unavailable": (Transient, "service_unavailable"),
    "server_error": (Transient, "service_unavailable"),
}


def classify_sign_in(
    status: int, body: Mapping[str, object], retry_after: float | None = None
) -> GraphError:
    """Return the error of a failed sign-in."""
    request_id = str(body.get("trace_id") or body.get("correlation_id") or "")
    if not _REQUEST_ID.fullmatch(request_id):
        request_id = ""
    error = str(body.get("error") or "")
    if status == 429 or status >= 500:
        code = "throttled" if status == 429 else "service_unavailable"
        return Transient(code, request_id=request_id, retry_after=retry_after, status=status)
    codes = body.get("error_codes")
    number = codes[0] if isinstance(codes, list) and codes else 0
    if not isinstance(number, int) or not 0 < number < 10**9:
        number = 0
    cls, code = _SIGN_IN.get(number) or _BY_ERROR.get(error) or (ConsentMissing, "sign_in_failed")
    if not _CODE.fullmatch(error):
        error = "error"
    return cls(code, request_id=request_id, status=status, error=error, number=number)


def _permissions_in(text: str) -> str:
    """Return the permissions that a message names, at most three, as "A or B"."""
    match = _SCOPES.search(text)
    scopes = _SCOPE.findall(match[1]) if match else []
    return " or ".join(dict.fromkeys(scopes[:3]))


def _walk(error: object, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield (code, message, request id) of an error and of every error nested in it."""
    if not isinstance(error, dict) or depth > 6:
        return
    keys = {str(key).lower(): value for key, value in error.items()}
    code = str(keys.get("code") or keys.get("errorcode") or "")
    message = keys.get("message")
    text = message if isinstance(message, str) else ""
    yield code, text, str(keys.get("request-id") or "")
    for inner in (_json_object(text), keys.get("innererror"), keys.get("error")):
        yield from _walk(inner, depth + 1)


def _json_object(text: str) -> dict[str, object] | None:
    """Parse the JSON that Intune puts into messages, sometimes nested twice."""
    if not text.lstrip().startswith("{") or len(text) > 100_000:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def network_error(error: Exception, url: str, request_id: str = "") -> GraphError:
    """Return the error of a failed connection or an unreadable response.

    `request_id` is the id that the client gave the request, because no other id was received.
    """
    host = urlsplit(url).hostname or "?"
    if isinstance(error, UnreadableResponse | httpx2.RemoteProtocolError):
        what = getattr(error, "what", "a response that was cut off")
        return Transient("answer_unreadable", host=host, what=what, request_id=request_id)
    if is_certificate_failure(error):
        return CertificateUntrusted(host=host, request_id=request_id)
    if isinstance(error, httpx2.TimeoutException):
        return Transient("service_timeout", host=host, request_id=request_id)
    return Transient("service_unreachable", host=host, request_id=request_id)
