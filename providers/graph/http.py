"""Sends every request to Microsoft, including sign-in.

It follows no redirects, stores no cookies, limits time and size, and always checks certificates.
"""

from __future__ import annotations

import functools
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from redaction.exact_json import NumberTooLarge, number_parser
from telemetry import tracing
from telemetry.spans import Attributes

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
#: The limit for a complete response, however slowly its bytes arrive.
RESPONSE_SECONDS = 180.0
#: The largest known policy has 540 KB; a page of 999 groups has about 1 MB.
MAX_RESPONSE_BYTES = 32 * 1024 * 1024
_MAX_DEPTH = 64
#: The parts of a path that are the same for every tenant.
_WORD = re.compile(r"[$a-zA-Z]{1,60}|v1\.0|v2\.0")

USER_AGENT = "Runledger"


class UnreadableResponse(Exception):
    """The response is truncated, too large, or not a JSON object.

    `what` describes the response in words: "Microsoft Graph returned {what}."
    """

    def __init__(self, what: str = "a response that cannot be read") -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True)
class Response:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """Parse the body; an empty body is an empty object.

        Raises:
            UnreadableResponse: the body is not a JSON object.
        """
        if not self.body.strip():
            return {}
        try:
            value = json.loads(
                self.body,
                parse_constant=_parse_constant,
                parse_float=number_parser(),
                object_pairs_hook=_parse_object,
            )
        except NumberTooLarge as error:
            raise UnreadableResponse("JSON with numbers that are too large") from error
        except (ValueError, RecursionError) as error:
            is_html = self.body.lstrip().startswith(b"<")
            what = "a page of HTML" if is_html else "JSON that is cut off or not valid"
            raise UnreadableResponse(what) from error
        if not isinstance(value, dict):
            raise UnreadableResponse("JSON that is not an object")
        if _too_deep(value):
            raise UnreadableResponse(f"JSON with more than {_MAX_DEPTH} levels")
        return value


class Http:
    """A pool of connections, for several threads; call `close()` at the end."""

    def __init__(
        self,
        *,
        ca_bundle: str = "",
        trust_env: bool = True,
        transport: httpx2.BaseTransport | None = None,
        response_seconds: float = RESPONSE_SECONDS,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self._response_seconds = response_seconds
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._under_way = 0
        self._is_closed = False
        self._client = httpx2.Client(
            verify=ssl_context(ca_bundle),
            trust_env=trust_env,
            transport=transport,
            follow_redirects=False,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=8, max_keepalive_connections=4),
            headers={"User-Agent": USER_AGENT},
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        trace: Any = None,
    ) -> Response:
        """Send one request and read the complete response, as a span of a trace.

        `trace` is where the trace continues, if another thread has prepared the request.

        Raises:
            httpx2.TransportError: the connection failed.
            UnreadableResponse: the response is too large or took too long.
        """
        self._client.cookies.clear()
        name = f"{method} {describe_path(url)}" if tracing.ENABLED else ""
        with tracing.span(
            name, _attributes(method, url, headers), kind="client", parent=trace
        ) as span:
            with (
                self._kept_open(),
                self._client.stream(method, url, headers=headers, content=content) as response,
            ):
                body = self._read(response)
            span.set({"http.response.status_code": response.status_code})
            return Response(response.status_code, response.headers, body)

    def _read(self, response: httpx2.Response) -> bytes:
        deadline = time.monotonic() + self._response_seconds
        chunks, size = [], 0
        try:
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > self._max_bytes:
                    raise UnreadableResponse(f"more than {self._max_bytes:,} bytes")
                if time.monotonic() > deadline:
                    seconds = f"{self._response_seconds:.0f}"
                    raise UnreadableResponse(f"a response that took longer than {seconds} s")
                chunks.append(chunk)
        except httpx2.DecodingError as error:
            raise UnreadableResponse("a compressed response that is damaged") from error
        return b"".join(chunks)

    def close(self) -> None:
        """Close every connection, but not before the end of the requests of other threads.

        A thread that reads from a closed TLS connection goes on with the number of its socket, which
        may be that of another connection by then, such as the one to the database.
        """
        with self._lock:
            self._is_closed = True
            is_unused = not self._under_way
        if is_unused:
            self._client.close()

    @contextmanager
    def _kept_open(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                is_last = self._is_closed and not self._under_way
            if is_last:
                self._client.close()


def describe_path(url: str) -> str:
    """Return the path of a URL without ids, names and arguments: what is not a word is {id}."""
    segments = urlsplit(url).path.partition("(")[0].split("/")
    return "/".join(each if not each or _WORD.fullmatch(each) else "{id}" for each in segments)


def _attributes(method: str, url: str, headers: Mapping[str, str] | None) -> Attributes | None:
    if not tracing.ENABLED:
        return None
    return {
        "http.request.method": method,
        "server.address": urlsplit(url).hostname,
        "url.template": describe_path(url),
        "runledger.graph.request_id": (headers or {}).get("client-request-id"),
    }


def is_certificate_failure(error: BaseException) -> bool:
    """Return whether the connection failed because the server's certificate is not trusted."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


@functools.lru_cache(maxsize=8)
def ssl_context(ca_bundle: str) -> ssl.SSLContext:
    """Trust the default authorities and those of the bundle."""
    context = httpx2.create_ssl_context()
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
    return context


def _parse_constant(constant: str) -> object:
    raise ValueError(constant)


def _parse_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object with two properties of one name, of which parsers take either."""
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise ValueError("duplicate property")
    return parsed


def _too_deep(value: object, depth: int = 0) -> bool:
    if depth > _MAX_DEPTH:
        return True
    if isinstance(value, dict):
        return any(_too_deep(entry, depth + 1) for entry in value.values())
    if isinstance(value, list):
        return any(_too_deep(entry, depth + 1) for entry in value)
    return False
