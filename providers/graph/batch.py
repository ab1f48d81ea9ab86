"""JSON batches: up to 20 reads in one request, each with its own response.

Source: Microsoft's documentation of JSON batching; not tested against the live service. The response
of a batch is 200 even if each of its requests failed, and its order is any. Throttling counts and
refuses the requests one by one.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.graph.http import Response, UnreadableResponse

#: The most requests of a batch.
MAX_REQUESTS = 20
#: The versions of Graph, each with its own batches.
VERSIONS = ("/v1.0", "/beta")


@dataclass(frozen=True)
class PartResponse(Response):
    """The response to one request of a batch."""

    value: Any = None

    def json(self) -> dict[str, object]:
        """Return the body; none is an empty object.

        Raises:
            UnreadableResponse: the body is not a JSON object.
        """
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise UnreadableResponse("JSON that is not an object")
        return self.value


def version_of(url: str, base_url: str) -> str:
    """Return the version of Graph that a URL belongs to, such as "/beta"; empty for others."""
    path = url.removeprefix(base_url)
    return next((version for version in VERSIONS if path.startswith(f"{version}/")), "")


def build(urls: Sequence[str], base_url: str, headers: Mapping[str, str]) -> bytes:
    """Return the body of a batch that reads these URLs of one version; their places are the ids."""
    requests = []
    for place, url in enumerate(urls):
        path = url.removeprefix(base_url).removeprefix(version_of(url, base_url))
        ids = {"client-request-id": str(uuid.uuid4())}
        requests.append(
            {"id": str(place), "method": "GET", "url": path, "headers": {**headers, **ids}}
        )
    return json.dumps({"requests": requests}).encode()


def parse(body: Mapping[str, Any], count: int, date: str = "") -> list[PartResponse | None]:
    """Return the response to each of the `count` requests of a batch, in their order.

    It is None for a request without a readable response, or with two. `date` is the time of the
    batch, for responses without one.

    Raises:
        UnreadableResponse: the response is not that of a batch, or not of this one.
    """
    parts = body.get("responses")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise UnreadableResponse("a batch without a list of responses")
    ids = Counter(str(part.get("id")) for part in parts)
    known = {str(place) for place in range(count)}
    if not known.issuperset(ids):
        # It answers requests that were not sent: none of its responses can be trusted.
        raise UnreadableResponse("a batch with responses to other requests")
    responses = {str(part["id"]): _part(part, date) for part in parts}
    return [responses[key] if ids[key] == 1 else None for key in map(str, range(count))]


def _part(part: Mapping[str, Any], date: str) -> PartResponse | None:
    status, headers = part.get("status"), part.get("headers") or {}
    if isinstance(status, bool) or not isinstance(status, int) or not isinstance(headers, dict):
        return None
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    if date:
        lower.setdefault("date", date)
    return PartResponse(status, lower, b"", part.get("body"))
