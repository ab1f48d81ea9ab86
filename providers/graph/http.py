"""One way out: every request to Microsoft, sign-in included, goes through here.

No redirects, no cookies, bounded time and size, certificates always checked.
"""

from __future__ import annotations

import functools
import json
import math
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
#: A whole answer must be there by then, however slowly its bytes trickle in.
ANSWER_SECONDS = 180.0
#: The largest policy seen has 540 KB, a page of 999 groups about 1 MB.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
_MAX_DEPTH = 64

USER_AGENT = "Runledger"


class UnreadableAnswer(Exception):
    """An answer that is cut off, too large, or not a JSON object."""


@dataclass(frozen=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """The object in the body; an empty body is an empty object.

        Raises:
            UnreadableAnswer: it is something else.
        """
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body, parse_constant=_refuse, parse_float=_float)
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswer from error
        if not isinstance(value, dict) or _too_deep(value):
            raise UnreadableAnswer
        return value


class Http:
    """A pool of connections; `close()` it, or use it in a `with` block."""

    def __init__(
        self,
        *,
        ca_bundle: str = "",
        trust_env: bool = True,
        transport: httpx2.BaseTransport | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._max_bytes = max_bytes
        self._client = httpx2.Client(
            verify=_ssl_context(ca_bundle),
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
    ) -> Reply:
        """Send one request and read its answer to the end.

        Raises:
            httpx2.TransportError: the connection failed.
            UnreadableAnswer: the answer is too large or took too long.
        """
        self._client.cookies.clear()
        with self._client.stream(method, url, headers=headers, content=content) as response:
            body = self._read(response)
            return Reply(response.status_code, response.headers, body)

    def _read(self, response: httpx2.Response) -> bytes:
        deadline = time.monotonic() + self._answer_seconds
        chunks, size = [], 0
        try:
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > self._max_bytes or time.monotonic() > deadline:
                    raise UnreadableAnswer
                chunks.append(chunk)
        except httpx2.DecodingError as error:
            raise UnreadableAnswer from error
        return b"".join(chunks)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def is_certificate_failure(error: BaseException) -> bool:
    """Whether a connection failed because the other side's certificate is not trusted."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


@functools.lru_cache(maxsize=8)
def _ssl_context(ca_bundle: str) -> ssl.SSLContext:
    """The usual authorities, and those of the bundle besides."""
    context = httpx2.create_ssl_context()
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
    return context


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _float(text: str) -> float:
    """(1e400 is infinite, and no JSON when it is written again.)"""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _too_deep(value: object, depth: int = 0) -> bool:
    if depth > _MAX_DEPTH:
        return True
    if isinstance(value, dict):
        return any(_too_deep(entry, depth + 1) for entry in value.values())
    if isinstance(value, list):
        return any(_too_deep(entry, depth + 1) for entry in value)
    return False
