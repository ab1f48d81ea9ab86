"""The Graph client: JSON in and out; every failure is a `GraphError`."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from providers.graph import paging
from providers.graph.errors import (
    CertificateUntrusted,
    CredentialRejected,
    GraphError,
    InvalidRequest,
    Transient,
    UnknownWriteOutcome,
    classify,
    network_error,
    parse_error,
)
from providers.graph.http import Http, Response, UnreadableResponse
from providers.graph.pacing import Pacer
from providers.graph.permissions import permission_for
from providers.graph.policy_kind import Secrets
from providers.graph.retry import RetryPolicy
from providers.graph.tokens import TokenSource, permissions_in
from providers.graph.usage import Usage
from redaction import exact_json
from redaction.text import sanitize_text
from telemetry import tracing
from web.retry_after import parse_retry_after

log = logging.getLogger(__name__)


class WaitReason(StrEnum):
    """Why a client waits."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    PACING = "pacing"
    LIST_EXPIRED = "list_expired"


#: Called before each slice of a wait with the remaining seconds and the reason; can raise to stop.
OnWait = Callable[[float, WaitReason], None]

#: A wait is reported, and can be stopped, at this interval.
SLICE_SECONDS = 2.0
#: Characters of a refusal's text in the log.
MAX_LOGGED_TEXT = 2000

READ_HEADERS = {
    "Accept": "application/json;odata.metadata=minimal",
    "x-ms-throttle-priority": "low",
}
#: Failures before the first byte was sent: the request cannot have been applied.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True)
class Prepared:
    """A request with its token, ready to be sent once."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    is_write: bool = False
    #: Where the trace of the thread that prepared it continues.
    trace: Any = field(default=None, repr=False, compare=False)

    @property
    def request_id(self) -> str:
        """The id that this client gave the request."""
        return self.headers["client-request-id"]


#: Sends a request once; returns it with its response.
Exchange = Callable[[], tuple[Prepared, Response]]


@dataclass
class Attempts:
    """The attempts at one request: their number, the seconds waited, and whether the token is new."""

    number: int = 1
    waited: float = 0.0
    has_new_token: bool = False


class GraphClient:
    """A client of one tenant's Graph; use it in a `with` block, from one thread.

    Reads are retried within the limits of the retry policy. Writes are retried only if they cannot
    have been applied (429, no connection, no token); otherwise `UnknownWriteOutcome` is raised.
    After the retries of one request are exhausted, later requests are not retried until one
    succeeds, so that a run of a thousand reads does not wait a thousand times.
    """

    def __init__(
        self,
        *,
        base_url: str,
        tokens: TokenSource,
        http: Http | None = None,
        pacer: Pacer | None = None,
        policy: RetryPolicy | None = None,
        on_wait: OnWait | None = None,
        usage: Usage | None = None,
        sleep: Callable[[float], None] = time.sleep,
        secrets: Secrets | None = None,
        reads_encrypted_values: bool = False,
    ) -> None:
        """`secrets` stores values that `reads_encrypted_values` lets this client read."""
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._http = http or Http()
        self._pacer = pacer or Pacer()
        self._policy = policy or RetryPolicy()
        self._on_wait = on_wait
        self._usage = usage or Usage()
        self._sleep = sleep
        self._secrets = secrets
        self._reads_encrypted_values = reads_encrypted_values and secrets is not None
        self._retries_enabled = True
        self._has_new_token = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<GraphClient {self._base_url}>"

    def close(self) -> None:
        """Close every connection, and hand on what was counted."""
        self._http.close()
        self._usage.flush()

    def has_permission(self, permission: str) -> bool | None:
        """Return whether the token names a permission; None if the token names none at all.

        A token without the permission can be older than the consent, so a new one is fetched once.

        Raises:
            GraphError, Blocked: there is no token.
        """
        permissions = permissions_in(self._tokens.token())
        if permissions is None:
            return None
        if permission not in permissions and not self._has_new_token:
            self._has_new_token = True
            self._tokens.forget()
            return self.has_permission(permission)
        return permission in permissions

    def address(self, path: str) -> str:
        """Return the address of an object by its path, as other objects refer to it in a request."""
        return self._url(path)

    @property
    def secrets(self) -> Secrets | None:
        """Stores encrypted values of configurations."""
        return self._secrets

    @property
    def reads_encrypted_values(self) -> bool:
        """Whether encrypted values may be read in plain text."""
        return self._reads_encrypted_values

    @property
    def base_url(self) -> str:
        """The address of Graph, without a slash at the end."""
        return self._base_url

    # --- Reading ----------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read one object by a path like "/beta/deviceManagement/configurationPolicies/<id>"."""
        return self._request("GET", self._url(path, params))

    def list(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every object of a collection, page by page.

        Raises:
            IncompleteListing: the list ended early; an absent object can still exist.
            GraphError: the first page could not be read.
        """
        return self._pages(path, params, partial(self._request, "GET"))

    def _pages(
        self,
        path: str,
        params: Mapping[str, str] | None,
        fetch: paging.Fetch,
        read_ahead: Callable[[str], None] = lambda url: None,
    ) -> Iterator[dict[str, Any]]:
        return paging.pages(
            fetch,
            self._url(path, params),
            base=self._base_url,
            noun=permission_for(path).noun,
            before_restart=lambda: self.wait(self._policy.first_wait, WaitReason.LIST_EXPIRED),
            read_ahead=read_ahead,
        )

    # --- Writing ----------------------------------------------------------------------------

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object or call an action. Return the body of the response."""
        return self._request("POST", self._url(path), body)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change some properties of an object."""
        return self._request("PATCH", self._url(path), body)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object."""
        return self._request("PUT", self._url(path), body)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._request("DELETE", self._url(path))

    # --- One request ------------------------------------------------------------------------

    def _url(self, path: str, params: Mapping[str, str] | None = None) -> str:
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"Not a path of Graph: {path}")
        url = f"{self._base_url}{path}"
        if params:
            url += "?" + urlencode(params, quote_via=quote, safe="$,()'=")
        return url

    def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        content = None if body is None else exact_json.dumps(body, ensure_ascii=False).encode()
        return self._exchange(partial(self._send_once, method, url, content), sent=body)

    def _exchange(
        self,
        send: Exchange,
        *,
        first: Exchange | None = None,
        sent: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the body of the first response that is no error.

        `first` is an attempt before `send` is called, which may be called repeatedly.
        """
        attempts, attempt = Attempts(), first or send
        while True:
            try:
                prepared, response = attempt()
                body = self.parse(prepared, response, sent=sent)
            except GraphError as error:
                attempt = send
                self.wait(self.plan_retry(attempts, error), wait_reason(error))
            else:
                self.note_success()
                return body

    def _send_once(self, method: str, url: str, content: bytes | None) -> tuple[Prepared, Response]:
        prepared = self.prepare(method, url, content)
        self.wait(*self.pacing_delay(url))
        return prepared, self.send(prepared)

    def prepare(
        self, method: str, url: str, content: bytes | None = None, *, is_write: bool | None = None
    ) -> Prepared:
        """Return a request with a token and an id; `is_write` is False for a POST that only reads.

        Raises:
            GraphError, Blocked: there is no token.
        """
        headers = {
            **READ_HEADERS,
            "Authorization": f"Bearer {self._tokens.token()}",
            "client-request-id": str(uuid.uuid4()),
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        if is_write is None:
            is_write = method != "GET"
        return Prepared(method, url, headers, content, is_write, tracing.current())

    def send(self, prepared: Prepared) -> Response:
        """Send a request once. This method alone can be called from several threads.

        Raises:
            GraphError: there is no response, or it could not be read to its end.
        """
        status = None
        try:
            response = self._http.send(
                prepared.method,
                prepared.url,
                headers=prepared.headers,
                content=prepared.content,
                trace=prepared.trace,
            )
        except (httpx2.TransportError, UnreadableResponse) as error:
            failure = network_error(error, prepared.url, prepared.request_id)
            was_not_sent = isinstance(error, _NOT_SENT) or isinstance(failure, CertificateUntrusted)
            if was_not_sent or not prepared.is_write:
                raise failure from error
            raise UnknownWriteOutcome(request_id=prepared.request_id) from error
        else:
            status = response.status
            return response
        finally:
            self._usage.add_request(prepared.method, status)

    def parse(
        self, prepared: Prepared, response: Response, *, sent: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the body of a response; `sent` is the body of the request.

        Raises:
            GraphError: the response is an error, or its body is unreadable.
        """
        if not 200 <= response.status < 300:
            raise self._error(prepared, response, sent)
        request_id = response.headers.get("request-id", "")
        try:
            body = response.json()
        except UnreadableResponse as error:
            if prepared.is_write:
                raise UnknownWriteOutcome(request_id=request_id) from error
            raise network_error(error, prepared.url, request_id) from error
        if prepared.method == "GET" and response.status == 200 and not body:
            raise network_error(UnreadableResponse("an empty response"), prepared.url, request_id)
        return body

    def plan_retry(self, attempts: Attempts, error: GraphError) -> float:
        """Return the seconds to wait before the request that failed is sent again.

        Raises:
            GraphError: the error, if the request is not sent again.
        """
        if isinstance(error, CredentialRejected) and error.code == "token_rejected":
            if attempts.has_new_token:
                raise error
            attempts.has_new_token = True
            self._tokens.forget()
            return 0.0
        if not isinstance(error, Transient):
            raise error
        attempts.number += 1
        wait = self._policy.wait_before(
            attempts.number, retry_after=error.retry_after, waited=attempts.waited
        )
        if wait is None or not self._retries_enabled:
            self._retries_enabled = False
            raise error
        if error.code == "throttled":
            self._pacer.pause(wait)
        attempts.waited += wait
        return wait

    def is_single(self, url: str) -> bool:
        """Return whether the requests under this URL may only be sent one at a time."""
        return self._pacer.is_single(urlsplit(url).path)

    def pacing_delay(self, *urls: str) -> tuple[float, WaitReason]:
        """Reserve the next time slot for URLs that are read together.

        Returns the seconds until it and the reason for them: Microsoft may have throttled another
        worker that uses the connection.
        """
        seconds, is_paused = self._pacer.reserve(urlsplit(url).path for url in urls)
        is_throttled = is_paused and seconds > SLICE_SECONDS
        reason = WaitReason.THROTTLED if is_throttled else WaitReason.PACING
        self._usage.add_wait(reason, seconds)
        return seconds, reason

    def note_success(self) -> None:
        """Retry the requests that fail from now on: one has just succeeded."""
        self._retries_enabled = True
        self._usage.flush_if_due()

    def _error(
        self, prepared: Prepared, response: Response, sent: Mapping[str, Any] | None
    ) -> GraphError:
        try:
            body = response.json()
        except UnreadableResponse:
            body = {}
        retry_after = parse_retry_after(response.headers)
        permission = permission_for(urlsplit(prepared.url).path)
        refusal = parse_error(response.status, body, response.headers, retry_after)
        error = classify(
            refusal,
            noun=permission.noun,
            permission=(prepared.is_write and permission.write) or permission.read,
            is_write=prepared.is_write,
            sent=sent,
        )
        if error.code == "throttled":
            self._usage.add_throttled()
        if isinstance(error, InvalidRequest):
            text = sanitize_text(refusal.text, max_length=MAX_LOGGED_TEXT)
            log.warning("Graph refused request %s: %s", refusal.request_id or "?", text)
        return error

    def wait(self, seconds: float, reason: WaitReason) -> None:
        """Wait in slices and report the remaining seconds, except of a short wait for the pace."""
        if reason != WaitReason.PACING:
            self._usage.add_wait(reason, seconds)
        is_reported = reason != WaitReason.PACING or seconds > SLICE_SECONDS
        while seconds > 0:
            if self._on_wait and is_reported:
                self._on_wait(seconds, reason)
            self._sleep(min(seconds, SLICE_SECONDS))
            seconds -= SLICE_SECONDS


def wait_reason(error: GraphError) -> WaitReason:
    """Return why a request that failed with this error waits before it is sent again."""
    return WaitReason.THROTTLED if error.code == "throttled" else WaitReason.UNAVAILABLE
