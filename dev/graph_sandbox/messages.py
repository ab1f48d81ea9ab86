"""A request and an answer, apart from how they travel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

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
        """The object in the body.

        Raises:
            Refused: there is none.
        """
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise Refused(400, "BadRequest", "Unable to read JSON request payload.") from None
        if not isinstance(value, dict):
            raise Refused(400, "BadRequest", "Empty Payload. JSON content expected.")
        return value


class Cut(Enum):
    """How an answer is spoilt on its way."""

    NOT_SENT = "nothing of it is sent"
    HALF = "half of it is sent, then the connection closes"


@dataclass
class Answer:
    """One answer; `raw` is sent instead of `body` when there is one."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: Cut | None = None

    def encoded(self) -> bytes:
        """What goes over the wire."""
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body).encode()


class Refused(Exception):
    """An answer in Graph's error shape."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers

    def answer(self, ids: Mapping[str, str]) -> Answer:
        """The error body, with the ids and the date of the request."""
        error = {"code": self.code, "message": self.message, "innerError": dict(ids)}
        headers = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return Answer(self.status, {"error": error}, headers)
