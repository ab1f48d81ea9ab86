"""The OpenAPI 3.1 document: what all operations have in common, and the document as a file."""

from __future__ import annotations

import json
from typing import Any

from ninja import NinjaAPI

from api.problems import CONTENT_TYPE, DETAILS, Problem

#: What every operation can answer; a body and a key can have more answers.
COMMON = (400, 401, 403, 404, 409, 410, 413, 415, 429, 500, 503)
_RATE_HEADERS = {
    "RateLimit-Limit": "How many requests the token can send in a minute.",
    "RateLimit-Remaining": "How many more it can send in this minute.",
    "RateLimit-Reset": "In how many seconds the next minute begins.",
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the answers with problem documents, the entity tags, and the token."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document["components"]
    components["schemas"] |= problem.pop("$defs") | {"Problem": problem}
    components["headers"] = {
        name: {"description": text, "schema": {"type": "integer", "minimum": 0}}
        for name, text in _RATE_HEADERS.items()
    }
    components["responses"] = {f"Problem{status}": _problem(status) for status in (*COMMON, 412)}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for operations in document["paths"].values():
        # Every operation that answers GET answers HEAD.
        operations.pop("head", None)
        for method, operation in operations.items():
            _complete_operation(method, operation)
    return document


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": DETAILS[status], "content": {CONTENT_TYPE: {"schema": schema}}}


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    first, _, rest = " ".join(operation["description"].split()).partition(". ")
    operation["summary"], operation["description"] = first.rstrip("."), rest
    responses = {str(status): response for status, response in operation["responses"].items()}
    for response in responses.values():
        response["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS
        }
    for status in COMMON:
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    if method == "get":
        parameters = operation.setdefault("parameters", [])
        parameters.append(_IF_NONE_MATCH)
        responses["412"] = {"$ref": "#/components/responses/Problem412"}
        responses["304"] = {"description": "What If-None-Match names is still current."}
    operation["responses"] = dict(sorted(responses.items()))


_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of an earlier answer.",
    "schema": {"type": "string"},
}


def document_text(api: NinjaAPI) -> str:
    """Return the document as the text of a file."""
    return json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False) + "\n"
