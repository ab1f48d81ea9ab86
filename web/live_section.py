"""Sections that ask for themselves again, and are answered 204 while they would look the same.

What has been seen is a hash of the section's HTML without its ticking times, so a section is new
exactly when a person would see something new in it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

_TICKING = re.compile(r">[^<]*</time>|name=\"(?:csrfmiddlewaretoken|submission)\" value=\"[^\"]*\"")


@dataclass(frozen=True)
class Live:
    """A rendered section; `seconds` is 0 when it has nothing more to tell."""

    id: str
    body: str
    seen: str
    url: str
    seconds: int


def live_section(
    request: HttpRequest, part: str, template: str, context: dict[str, Any], *, seconds: int
) -> Live:
    """Render a section that asks for itself again every so many seconds."""
    body = render_to_string(template, context, request)
    seen = hashlib.sha256(_TICKING.sub("", body).encode()).hexdigest()[:16]
    query = request.GET.copy()
    query["part"], query["seen"] = part, seen
    return Live(part, body, seen, f"{request.path}?{query.urlencode()}", seconds)


def live_answer(request: HttpRequest, section: Live) -> HttpResponse:
    """The section for htmx, or 204 if it has seen just that and will ask again."""
    if section.seconds and request.GET.get("seen") == section.seen:
        return HttpResponse(status=204)
    return render(request, "components/live.html", {"live": section})


def asks_for(request: HttpRequest, part: str) -> bool:
    """Whether htmx wants this section and not the page."""
    return "HX-Request" in request.headers and request.GET.get("part") == part
