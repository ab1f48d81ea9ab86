"""The WSGI handler: a request that Django cannot construct gets an error page too."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class CheckedRequest(WSGIRequest):
    """A request; `has_valid_content_type` is false if its Content-Type cannot be parsed.

    Django raises an error for some charsets while it constructs the request, which is before any
    middleware and its error pages.
    """

    has_valid_content_type = True

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (LookupError, ValueError):
            environ["CONTENT_TYPE"] = ""
            super().__init__(environ)
            self.has_valid_content_type = False


class Handler(WSGIHandler):
    """Django's handler for checked requests."""

    request_class = CheckedRequest
