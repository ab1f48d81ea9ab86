"""Sections of a page that refresh; the response is 204 while a section has not changed.

A section has a version: what `tenancy.versions` has read before it was rendered, or else a hash of
its HTML without relative times, which changes exactly when the user would see a difference.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string

_VOLATILE = re.compile(
    r">[^<]*</time>|name=\"(?:csrfmiddlewaretoken|submission)\" value=\"[^\"]*\""
)


@dataclass(frozen=True)
class Live:
    """A rendered section; `seconds` is 0 when it no longer refreshes."""

    id: str
    body: str
    seen: str
    url: str
    seconds: int


def live_section(
    request: HttpRequest,
    part: str,
    template: str,
    context: dict[str, Any],
    *,
    seconds: int,
    version: str = "",
) -> Live:
    """Render a section that refreshes at this interval; without a version, it gets a hash."""
    body = render_to_string(template, context, request)
    seen = version
    if seconds and not version:
        seen = hashlib.sha256(_VOLATILE.sub("", body).encode()).hexdigest()[:16]
    query = page_query(request.GET, part=part, seen=seen)
    return Live(part, body, seen, f"{request.path}?{query}", seconds)


def live_answer(request: HttpRequest, section: Live) -> HttpResponse:
    """Return the section for htmx, or 204 if the browser already has it and will refresh again."""
    if section.seconds and request.GET.get("seen") == section.seen:
        return unchanged()
    return HttpResponse(render_to_string("components/live.html", {"live": section}))


def page_query(params: QueryDict, **changes: object) -> str:
    """Return the query of a page with other values of parameters; None or "" leaves one out.

    The parameters of a section (`part`, `seen`) are left out: they are never part of a link.
    """
    replaced = {"part": None, "seen": None, **changes}
    query: dict[str, object] = {
        name: values for name, values in params.lists() if name not in replaced
    }
    query |= {name: str(value) for name, value in replaced.items() if value not in (None, "")}
    return urlencode(query, doseq=True)


def has_seen(request: HttpRequest, part: str, version: str) -> bool:
    """Return whether htmx requests this section, and the browser has this version of it."""
    return asks_for(request, part) and request.GET.get("seen") == version


def unchanged() -> HttpResponse:
    """Return the answer to a browser that has the current version."""
    return HttpResponse(status=204)


def asks_for(request: HttpRequest, part: str) -> bool:
    """Return whether htmx requests this section instead of the page."""
    return "HX-Request" in request.headers and request.GET.get("part") == part
