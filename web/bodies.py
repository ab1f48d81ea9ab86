"""Views that do not read the body of a request, so that a body of any type is harmless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, resolve

View = Callable[..., Any]


def ignores_body(view: View) -> View:
    """Mark a view that reads no body; other views refuse multipart bodies."""
    view.ignores_body = True  # type: ignore[attr-defined]
    return view


def body_is_ignored(request: HttpRequest) -> bool:
    """Return whether the view of the address reads no body."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return getattr(view, "ignores_body", False)
