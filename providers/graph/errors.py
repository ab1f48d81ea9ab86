"""What went wrong at the far end, as a class to act on and a reason to show.

Classified by HTTP status first and by Graph's error code second, because codes are sometimes
empty or wrong. What a server wrote is looked at and never repeated: an error carries the
catalog's words and checked values (status, code, permission, request id).
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
from providers.graph.http import UnreadableAnswer, is_certificate_failure


class GraphError(SafeError):
    """Any failure of a request to Graph or to its sign-in.

    `retry_after`: seconds the server asked to wait, if it did.
    """

    default_code: ClassVar[str] = "request_refused"
    #: Nothing else of the run can work either: its credential, consent or tenant is refused.
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
    """May work when asked again; it was, within bounds."""

    default_code = "service_unavailable"


class UnknownWriteOutcome(GraphError):
    """A change was sent and its answer lost: read back before doing anything."""

    default_code = "write_outcome_unknown"


class CredentialRejected(GraphError):
    """The secret, the certificate or the token is refused."""

    default_code = "credential_rejected"
    is_blocking_whole_run = True


class ConsentMissing(GraphError):
    """The tenant does not let the app registration in (or does not exist)."""

    default_code = "consent_missing"
    is_blocking_whole_run = True


class Untrusted(GraphError):
    """The other side's certificate is not trusted, so nothing was sent to it."""

    default_code = "tls_failed"
    is_blocking_whole_run = True


class PermissionMissing(GraphError):
    """One permission is missing: blocks what needs it, not the rest."""

    default_code = "permission_missing"


class LicenseMissing(GraphError):
    """The tenant has not bought this."""

    default_code = "license_missing"


class Gone(GraphError):
    """The object was removed, perhaps while it was being read."""

    default_code = "object_gone"


class Conflict(GraphError):
    """Somebody else changed it, or its name is taken."""

    default_code = "object_conflict"


class InvalidRequest(GraphError):
    """Graph will never accept this request as it is."""

    default_code = "request_refused"


class IncompleteListing(GraphError):
    """A list was not read to its end: what is missing from it is unknown, not gone."""

    default_code = "incomplete_listing"


@dataclass(frozen=True)
class Answer:
    """What is known of an error answer: its status, codes from outside in, all texts, its id."""

    status: int
    codes: tuple[str, ...]
    text: str
    request_id: str = ""
    retry_after: float | None = None

    @property
    def code(self) -> str:
        """The first code there is, if it looks like one."""
        return next((code for code in self.codes if _CODE.fullmatch(code)), "")


_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_REQUEST_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z\-]{7,63}")
_SCOPES = re.compile(r"must have one of the following scopes:\s*([A-Za-z0-9., ]{3,400})")
_SCOPE = re.compile(r"[A-Za-z0-9]{1,60}(?:\.[A-Za-z0-9]{1,60}){1,4}")
_LICENCE = re.compile(
    r"request not applicable to target tenant|not licensed for this feature"
    r"|doesn'?t have (?:a )?premium license|does not have (?:a )?premium license",
    re.IGNORECASE,
)

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 509})
TRANSIENT_CODES = frozenset(
    {"toomanyrequests", "activitylimitreached", "servicenotavailable", "throttledrequest"}
)
FORBIDDEN_CODES = frozenset({"forbidden", "authorization_requestdenied", "accessdenied"})
GONE_CODES = frozenset({"resourcenotfound", "request_resourcenotfound", "itemnotfound"})
CONFLICT_CODES = frozenset({"namealreadyexists", "resourcemodified"})
RESYNC_CODES = frozenset({"resyncrequired", "syncstatenotfound"})


def read_answer(
    status: int, body: object, headers: Mapping[str, str], retry_after: float | None = None
) -> Answer:
    """Take an error answer apart, through nested errors and JSON inside of messages."""
    found = list(_walk(body.get("error") if isinstance(body, dict) else None))
    codes = tuple(code for code, _, _ in found if code)
    text = "\n".join(message for _, message, _ in found if message)
    ids = [headers.get("request-id", ""), *(request_id for _, _, request_id in found)]
    request_id = next((value for value in ids if _REQUEST_ID.fullmatch(value)), "")
    return Answer(status, codes, text, request_id, retry_after)


def classify(answer: Answer, *, what: str, permission: str, wrote: bool = False) -> GraphError:
    """The error for an answer that was not a success.

    `what` and `permission` name the part of Graph and the permission it needs, used where the
    answer does not say; `wrote` tells that the request may have changed something.
    """
    common: dict[str, Any] = {
        "request_id": answer.request_id,
        "retry_after": answer.retry_after,
        "status": answer.status,
        "kind": what,
    }
    codes = {code.lower() for code in answer.codes}
    if answer.status == 429 or (answer.status < 500 and codes & TRANSIENT_CODES):
        return Transient("throttled", **common)
    if answer.status in TRANSIENT_STATUSES or (answer.status > 501):
        return UnknownWriteOutcome(**common) if wrote else Transient(**common)
    if answer.status in (400, 403) and _LICENCE.search(answer.text):
        return LicenseMissing(**common)
    if answer.status == 403 or (answer.status == 401 and codes & FORBIDDEN_CODES):
        return PermissionMissing(permission=_scopes(answer.text) or permission, **common)
    if answer.status == 401:
        return CredentialRejected("token_rejected", **common)
    if answer.status == 410 or codes & RESYNC_CODES:
        return Gone("resync_required", **common)
    if answer.status == 404 or codes & GONE_CODES:
        return Gone(**common)
    if answer.status in (409, 412) or codes & CONFLICT_CODES:
        return Conflict(**common)
    return InvalidRequest(error=answer.code, **common)


#: Sign-in errors by their AADSTS number: these only choose the words; the class comes from
#: the table below where a number has one, else from `error`.
_SIGN_IN: dict[int, tuple[type[GraphError], str]] = {
    7000215: (CredentialRejected, "credential_rejected"),
    7000222: (CredentialRejected, "credential_expired"),
    700027: (CredentialRejected, "credential_rejected"),
    700024: (CredentialRejected, "credential_expired"),
    700016: (ConsentMissing, "app_not_in_tenant"),
    65001: (ConsentMissing, "consent_missing"),
    53003: (ConsentMissing, "blocked_by_conditional_access"),
    90002: (ConsentMissing, "tenant_unknown"),
    900023: (ConsentMissing, "tenant_unknown"),
    5000224: (ConsentMissing, "tenant_unknown"),
}
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
    """The error for a token that was refused."""
    request_id = str(body.get("trace_id") or body.get("correlation_id") or "")
    request_id = request_id if _REQUEST_ID.fullmatch(request_id) else ""
    error = str(body.get("error") or "")
    if status == 429 or status >= 500:
        code = "throttled" if status == 429 else "service_unavailable"
        return Transient(code, request_id=request_id, retry_after=retry_after, status=status)
    number = _sign_in_number(body)
    cls, code = _SIGN_IN.get(number) or _BY_ERROR.get(error) or (ConsentMissing, "sign_in_failed")
    error = error if _CODE.fullmatch(error) else "error"
    return cls(code, request_id=request_id, status=status, error=error, number=number)


def _sign_in_number(body: Mapping[str, object]) -> int:
    codes = body.get("error_codes")
    first = codes[0] if isinstance(codes, list) and codes else 0
    return first if isinstance(first, int) and 0 < first < 10**9 else 0


def _scopes(text: str) -> str:
    """The permissions that the answer itself names, as "A or B"; at most three."""
    found = _SCOPES.search(text)
    scopes = _SCOPE.findall(found[1]) if found else []
    return " or ".join(dict.fromkeys(scope.rstrip(".") for scope in scopes[:3]))


def _walk(error: object, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """(code, message, request id) of an error and of everything nested in it."""
    if not isinstance(error, dict) or depth > 6:
        return
    keys = {str(key).lower(): value for key, value in error.items()}
    code = str(keys.get("code") or keys.get("errorcode") or "")
    message = keys.get("message")
    yield code, message if isinstance(message, str) else "", str(keys.get("request-id") or "")
    nested = _json_object(message) if isinstance(message, str) else None
    for inner in (nested, keys.get("innererror"), keys.get("error")):
        yield from _walk(inner, depth + 1)


def _json_object(text: str) -> dict[str, object] | None:
    """Intune puts JSON into `message`, sometimes twice."""
    if not text.lstrip().startswith("{") or len(text) > 100_000:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def network_error(error: Exception, url: str, request_id: str = "") -> GraphError:
    """The GraphError of a connection that failed or an answer that could not be read.

    `request_id` is our own name of the request, as nobody else's came back.
    """
    host = urlsplit(url).hostname or "?"
    if isinstance(error, UnreadableAnswer | httpx2.RemoteProtocolError):
        return Transient("answer_unreadable", host=host, request_id=request_id)
    if is_certificate_failure(error):
        return Untrusted(host=host, request_id=request_id)
    if isinstance(error, httpx2.TimeoutException):
        return Transient("service_timeout", host=host, request_id=request_id)
    return Transient("service_unreachable", host=host, request_id=request_id)
