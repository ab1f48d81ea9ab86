"""Attributes the changes of a request to its user, address and reference."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.context import audited_request


class AuditContextMiddleware:
    """Costs no statement: what a request writes carries the context along."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with audited_request(request):
            return self.get_response(request)
