"""The Graph client: raw JSON in and out, everything that can go wrong as a `GraphError`."""

from __future__ import annotations

import json
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
    CredentialRejected,
    GraphError,
    Transient,
    UnknownWriteOutcome,
    Untrusted,
    classify,
    network_error,
    read_answer,
)
from providers.graph.http import Http, Reply, UnreadableAnswer
from providers.graph.pacing import Pacer
from providers.graph.permissions import permission_for
from providers.graph.retry import RetryPolicy, parse_retry_after
from providers.graph.tokens import TokenSource, permissions_in


class WaitReason(StrEnum):
    """Why a client waits."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    PACING = "pacing"


#: Called with the seconds still to wait and why, before each slice of a wait; may raise to stop.
OnWait = Callable[[float, WaitReason], None]

#: A wait is told, and can be stopped, this often.
SLICE_SECONDS = 2.0

_HEADERS = {
    "Accept": "application/json;odata.metadata=minimal",
    "x-ms-throttle-priority": "low",
}
#: Failures before the first byte was sent: nothing can have been applied.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class GraphClient:
    """A connection to one tenant's Graph; use it in a `with` block, from one thread.

    Reads are repeated within the bounds of the retry policy. Writes are repeated only when they
    cannot have been applied (429, no connection, no token); otherwise `UnknownWriteOutcome` says
    that nobody knows. Once a service was given up, it is asked without patience until it answers
    again, so that a run of a thousand reads does not wait a thousand times.
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
        self._patient = True
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

    def names(self, permission: str) -> bool | None:
        """Whether the token names a permission; None where a token does not tell.

        A token without it may be older than the consent, so a new one is fetched, once.

        Raises:
            GraphError, Blocked: there is no token.
        """
        named = permissions_in(self._tokens.token())
        if named is not None and permission not in named and not self._has_new_token:
            self._has_new_token = True
            self._tokens.forget()
            return self.names(permission)
        return None if named is None else permission in named

    # --- Reading ----------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read one object; `path` is like "/beta/deviceManagement/configurationPolicies/<id>"."""
        return self._request("GET", self._url(path, params))

    def list(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Every object of a collection, page by page.

        Raises:
            IncompleteListing: it broke off: nothing may be concluded from what is absent.
            GraphError: it could not be begun.
        """
        return paging.pages(
            lambda url: self._request("GET", url),
            self._url(path, params),
            base=self._base_url,
            what=permission_for(path).what,
        )

    # --- Writing ----------------------------------------------------------------------------

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, or call an action; gives what the answer holds."""
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
        query = urlencode(params or {}, quote_via=quote, safe="$,()'=")
        return f"{self._base_url}{path}{'?' if query else ''}{query}"

    def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        attempt, waited, refreshed = 1, 0.0, False
        while True:
            try:
                answer = self._attempt(method, url, content)
            except CredentialRejected as error:
                if error.code != "token_rejected" or refreshed:
                    raise
                refreshed = True
                self._tokens.forget()
            except Transient as error:
                attempt += 1
                waited += self._wait_before(attempt, waited, error)
            else:
                self._patient = True
                return answer

    def _wait_before(self, attempt: int, waited: float, error: Transient) -> float:
        wait = self._policy.wait_before(attempt, retry_after=error.retry_after, waited=waited)
        if wait is None or not self._patient:
            self._patient = False
            raise error
        throttled = error.code == "throttled"
        self._wait(wait, WaitReason.THROTTLED if throttled else WaitReason.UNAVAILABLE)
        return wait

    def _attempt(self, method: str, url: str, content: bytes | None) -> dict[str, Any]:
        token = self._tokens.token()
        self._wait(self._pacer.delay(urlsplit(url).path), WaitReason.PACING)
        headers = {
            **_HEADERS,
            "Authorization": f"Bearer {token}",
            "client-request-id": str(uuid.uuid4()),
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        reply = self._send(method, url, headers, content)
        if 200 <= reply.status < 300:
            return self._read(method, url, reply)
        raise self._error(method, url, reply)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        try:
            return self._http.send(method, url, headers=headers, content=content)
        except (httpx2.TransportError, UnreadableAnswer) as error:
            name = headers["client-request-id"]
            failure = network_error(error, url, name)
            untouched = isinstance(error, _NOT_SENT) or isinstance(failure, Untrusted)
            if method == "GET" or untouched:
                raise failure from error
            raise UnknownWriteOutcome(request_id=name) from error

    def _read(self, method: str, url: str, reply: Reply) -> dict[str, Any]:
        try:
            return reply.json()
        except UnreadableAnswer as error:
            request_id = reply.headers.get("request-id", "")
            if method == "GET":
                raise network_error(error, url, request_id) from error
            raise UnknownWriteOutcome(request_id=request_id) from error

    def _error(self, method: str, url: str, reply: Reply) -> GraphError:
        try:
            body = reply.json()
        except UnreadableAnswer:
            body = {}
        retry_after = parse_retry_after(reply.headers.get("retry-after"))
        needed = permission_for(urlsplit(url).path)
        return classify(
            read_answer(reply.status, body, reply.headers, retry_after),
            what=needed.what,
            permission=needed.read if method == "GET" else needed.write or needed.read,
            wrote=method != "GET",
        )

    def _wait(self, seconds: float, reason: WaitReason) -> None:
        """Wait in slices, telling how long it still takes; short pacing is not worth telling."""
        told = reason != WaitReason.PACING or seconds > SLICE_SECONDS
        while seconds > 0:
            if self._on_wait and told:
                self._on_wait(seconds, reason)
            self._sleep(min(seconds, SLICE_SECONDS))
            seconds -= SLICE_SECONDS
