"""JSON batches: up to 20 requests in one, each with its own response and its own faults."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from dev.graph_sandbox.faults import Fault, Faults
from dev.graph_sandbox.graph import Graph, TakeFault, fault_before
from dev.graph_sandbox.messages import Cut, Json, Request, RequestRefused, Response
from dev.graph_sandbox.resources import Resource
from redaction import exact_json

MAX_REQUESTS = 20
#: The kind of a batch itself, in faults and in the log.
KIND = "batch"
_PATHS = ("/v1.0/$batch", "/beta/$batch")
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
_BATCH = Resource(KIND, "v1.0", "/$batch", ("Directory.Read.All",))


class LogRequest(Protocol):
    """Called with each request, its response, and its tenant and kind."""

    def __call__(
        self, request: Request, response: Response, tenant_id: str, kind: str, *, in_batch: bool
    ) -> None: ...


class Batches:
    """Responds under `/v1.0/$batch` and `/beta/$batch`."""

    def __init__(self, graph: Graph, faults: Faults, log: LogRequest) -> None:
        self._graph = graph
        self._faults = faults
        self._log = log

    def is_batch(self, request: Request) -> bool:
        """Return whether the request is a batch."""
        return request.path in _PATHS

    def respond(self, request: Request) -> Response:
        """Return the responses of all requests of a batch, the last one first."""
        tenant_id = ""
        try:
            tenant_id = self._graph.check_token(request)
            response = self._respond(request, tenant_id)
        except RequestRefused as refusal:
            response = refusal.response({"request-id": str(uuid.uuid4())})
        self._log(request, response, tenant_id, KIND, in_batch=False)
        return response

    def _respond(self, request: Request, tenant_id: str) -> Response:
        def take(name: str) -> Fault | None:
            return self._faults.take(tenant_id, name, KIND, request.method, exact=True)

        if fault := take("slow"):
            time.sleep(float(fault.options.get("ms", 500)) / 1000)
        if faulty := fault_before(take, _BATCH):
            return faulty
        if request.method != "POST":
            raise RequestRefused(405, "BadRequest", "Specified HTTP method is not allowed.")
        responses = self._responses(request, _requests(request.json()))
        if responses is None:
            return Response(200, cut=Cut.NOT_SENT)
        return _damage(take, responses)

    def _responses(self, request: Request, parts: list[Json]) -> list[Json] | None:
        """The responses in another order; None if one of them breaks the connection."""
        delays, responses = [0.0], []
        for part in parts:
            inner = _inner_request(request, part)
            response, tenant_id, kind = self._graph.respond(inner, delays.append)
            self._log(inner, response, tenant_id, kind, in_batch=True)
            if response.cut:
                return None
            responses.append(_part(part["id"], response))
        # Graph processes the requests at the same time.
        time.sleep(max(delays))
        return responses[::-1]


def _damage(take: TakeFault, responses: list[Json]) -> Response:
    """Apply the faults that damage the response of a batch."""
    if take("batch_missing"):
        responses.pop(0)
    if take("batch_repeated"):
        responses.insert(0, responses[-1])
    if take("batch_foreign"):
        responses[0] = {**responses[0], "id": str(uuid.uuid4())}
    response = Response(200, {"responses": responses})
    if take("garbage"):
        response.raw = b"<!DOCTYPE html><html><body>Service Unavailable</body></html>"
    if take("drop_mid_body"):
        response.cut = Cut.HALF
    return response


def _requests(body: Json) -> list[Json]:
    """Return the requests of a batch.

    Raises:
        RequestRefused: there are none or too many, or one is malformed.
    """
    parts = body.get("requests")
    if not isinstance(parts, list) or not parts:
        raise RequestRefused(400, "BadRequest", "Invalid batch payload format.")
    if len(parts) > MAX_REQUESTS:
        text = f"Number of batch request steps exceeds the maximum value of {MAX_REQUESTS}."
        raise RequestRefused(400, "BadRequest", text)
    for part in parts:
        _check(part)
    if len({part["id"] for part in parts}) < len(parts):
        raise RequestRefused(400, "BadRequest", "Each request must have a unique id.")
    return parts


def _check(part: Any) -> None:
    is_request = (
        isinstance(part, dict)
        and isinstance(part.get("id"), str)
        and part.get("method") in _METHODS
        and isinstance(part.get("url"), str)
        and not urlsplit(part["url"]).netloc
        and "dependsOn" not in part
    )
    if not is_request:
        raise RequestRefused(400, "BadRequest", "Invalid batch payload format.")
    headers = {name.lower(): value for name, value in (part.get("headers") or {}).items()}
    if "body" in part and not str(headers.get("content-type", "")).startswith("application/json"):
        text = "Request body must have a Content-Type header."
        raise RequestRefused(400, "BadRequest", text)


def _inner_request(request: Request, part: Mapping[str, Any]) -> Request:
    url = urlsplit(part["url"])
    version = request.path.removesuffix("/$batch")
    headers = {name.lower(): str(value) for name, value in (part.get("headers") or {}).items()}
    return Request(
        method=part["method"],
        base_url=request.base_url,
        path=f"{version}/{url.path.lstrip('/')}",
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers={**headers, "authorization": request.headers.get("authorization", "")},
        body=exact_json.dumps(part["body"]).encode() if "body" in part else b"",
    )


def _part(part_id: str, response: Response) -> Json:
    part: Json = {"id": part_id, "status": response.status, "headers": response.headers}
    if response.raw is not None:
        # Graph encodes what is not JSON.
        part["body"] = base64.b64encode(response.raw).decode()
    elif response.body is not None:
        part["body"] = response.body
    return part
