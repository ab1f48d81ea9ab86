"""The Graph client: JSON in and out; every failure is a `GraphError`."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
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
from providers.graph.retry import RetryPolicy
from providers.graph.tokens import TokenSource, permissions_in
from redaction.text import sanitize_text
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

_HEADERS = {
    "Accept": "application/json;odata.metadata=minimal",
    "x-ms-throttle-priority": "low",
}
#: Failures before the first byte was sent: the request cannot have been applied.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._http = http or Http()
        self._pacer = pacer or Pacer()
        self._policy = policy or RetryPolicy()
        self._on_wait = on_wait
        self._sleep = sleep
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
        """Close every connection."""
        self._http.close()

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
        return paging.pages(
            lambda url: self._request("GET", url),
            self._url(path, params),
            base=self._base_url,
            noun=permission_for(path).noun,
            before_restart=lambda: self._wait(self._policy.first_wait, WaitReason.LIST_EXPIRED),
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
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        attempt, waited, has_new_token = 1, 0.0, False
        while True:
            try:
                response_body = self._attempt(method, url, content, body)
            except CredentialRejected as error:
                if error.code != "token_rejected" or has_new_token:
                    raise
                has_new_token = True
                self._tokens.forget()
            except Transient as error:
                attempt += 1
                waited += self._wait_before(attempt, waited, error)
            else:
                self._retries_enabled = True
                return response_body

    def _wait_before(self, attempt: int, waited: float, error: Transient) -> float:
        wait = self._policy.wait_before(attempt, retry_after=error.retry_after, waited=waited)
        if wait is None or not self._retries_enabled:
            self._retries_enabled = False
            raise error
        is_throttled = error.code == "throttled"
        self._wait(wait, WaitReason.THROTTLED if is_throttled else WaitReason.UNAVAILABLE)
        return wait

    def _attempt(
        self, method: str, url: str, content: bytes | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        token = self._tokens.token()
        self._wait(self._pacer.delay(urlsplit(url).path), WaitReason.PACING)
        headers = {
            **_HEADERS,
            "Authorization": f"Bearer {token}",
            "client-request-id": str(uuid.uuid4()),
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        response = self._send(method, url, headers, content)
        if 200 <= response.status < 300:
            return self._parse(method, url, response)
        raise self._error(method, url, response, body)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Response:
        try:
            return self._http.send(method, url, headers=headers, content=content)
        except (httpx2.TransportError, UnreadableResponse) as error:
            request_id = headers["client-request-id"]
            failure = network_error(error, url, request_id)
            was_not_sent = isinstance(error, _NOT_SENT) or isinstance(failure, CertificateUntrusted)
            if method == "GET" or was_not_sent:
                raise failure from error
            raise UnknownWriteOutcome(request_id=request_id) from error

    def _parse(self, method: str, url: str, response: Response) -> dict[str, Any]:
        request_id = response.headers.get("request-id", "")
        try:
            body = response.json()
        except UnreadableResponse as error:
            if method == "GET":
                raise network_error(error, url, request_id) from error
            raise UnknownWriteOutcome(request_id=request_id) from error
        if method == "GET" and response.status == 200 and not body:
            raise network_error(UnreadableResponse("an empty response"), url, request_id)
        return body

    def _error(
        self, method: str, url: str, response: Response, sent: Mapping[str, Any] | None
    ) -> GraphError:
        try:
            body = response.json()
        except UnreadableResponse:
            body = {}
        retry_after = parse_retry_after(response.headers)
        is_write = method != "GET"
        permission = permission_for(urlsplit(url).path)
        refusal = parse_error(response.status, body, response.headers, retry_after)
        error = classify(
            refusal,
            noun=permission.noun,
            permission=(is_write and permission.write) or permission.read,
            is_write=is_write,
            sent=sent,
        )
        if isinstance(error, InvalidRequest):
            text = sanitize_text(refusal.text, max_length=MAX_LOGGED_TEXT)
            log.warning("Graph refused request %s: %s", refusal.request_id or "?", text)
        return error

    def _wait(self, seconds: float, reason: WaitReason) -> None:
        """Wait in slices and report the remaining seconds, except of a short wait for the pace."""
        is_reported = reason != WaitReason.PACING or seconds > SLICE_SECONDS
        while seconds > 0:
            if self._on_wait and is_reported:
                self._on_wait(seconds, reason)
            self._sleep(min(seconds, SLICE_SECONDS))
            seconds -= SLICE_SECONDS
