"""The page that shows how to call each operation, with commands to copy."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from api.views.v1 import api
from tenancy.http import Request, page, workspace_or_404

_HEADER = '-H "Authorization: Bearer $RUNLEDGER_TOKEN"'


@dataclass(frozen=True)
class Command:
    """How to call one operation."""

    name: str
    summary: str
    text: str


@page
def api_reference(request: Request, slug: str) -> HttpResponse:
    """The operations of the API by group."""
    workspace = workspace_or_404(request, slug)
    groups: dict[str, list[Command]] = {}
    site = request.build_absolute_uri("/").rstrip("/")
    for group, command in _commands(api.get_openapi_schema(), site):
        groups.setdefault(group, []).append(command)
    document = request.build_absolute_uri(reverse("openapi_document"))
    context = {
        "workspace": workspace,
        "section": "api",
        "groups": groups.items(),
        "document": f"curl {document}",
        "document_url": reverse("openapi_document"),
    }
    return render(request, "api/reference.html", context)


def _commands(document: dict[str, Any], site: str) -> Iterator[tuple[str, Command]]:
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            # The reader replaces the ids.
            address = re.sub(r"{(\w+)}", lambda match: match[1].upper(), path)
            parts = ["curl", *_options(method, operation, schemas), f"{site}{address}"]
            command = Command(operation["operationId"], operation["summary"], " ".join(parts))
            yield operation["tags"][0], command


def _options(method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    options = [_HEADER]
    if method != "get":
        options.insert(0, f"-X {method.upper()}")
    if "application/zip" in operation["responses"].get("200", {}).get("content", {}):
        options.insert(0, "-OJ")
    if body := operation.get("requestBody"):
        (content,) = body["content"].values()
        example = json.dumps(_example(content["schema"], schemas), ensure_ascii=False)
        options += ['-H "Content-Type: application/json"', f"-d {shlex.quote(example)}"]
    return options


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return the first example of a schema, or of the first one that it refers to."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    choices = schema.get("oneOf") or schema.get("anyOf")
    return _example(choices[0], schemas) if choices else schema["examples"][0]
