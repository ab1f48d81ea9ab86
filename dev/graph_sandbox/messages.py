"""Requests and responses, independent of the HTTP server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from redaction import exact_json

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request; header names are lower case."""

    method: str
    base_url: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Return the JSON object in the body.

        Raises:
            RequestRefused: the body is not a JSON object.
        """
        try:
            value = json.loads(self.body or b"{}", cls=exact_json.ExactDecoder)
        except ValueError:
            raise RequestRefused(
                400, "BadRequest", "Unable to read JSON request payload."
            ) from None
        if not isinstance(value, dict):
            raise RequestRefused(400, "BadRequest", "Empty Payload. JSON content expected.")
        return value


class Cut(Enum):
    """Where the connection closes while a response is sent."""

    NOT_SENT = "before the response"
    HALF = "after half of the response"


@dataclass
class Response:
    """One response; `raw`, where present, is sent instead of `body`."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: Cut | None = None

    def encoded(self) -> bytes:
        """Return the bytes of the body."""
        if self.raw is not None:
            return self.raw
        if self.body is None:
            return b""
        return exact_json.dumps(self.body).encode()


class RequestRefused(Exception):
    """Graph refuses the request; becomes a response in the format of Graph's errors."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers

    def response(self, ids: Mapping[str, str]) -> Response:
        """Return the error response, with the ids and the date of the request."""
        error = {"code": self.code, "message": self.message, "innerError": dict(ids)}
        headers = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return Response(self.status, {"error": error}, headers)
