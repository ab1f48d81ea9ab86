"""What every view starts from: a request of somebody signed in, and the methods it answers to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django_htmx.middleware import HtmxDetails

from tenancy.models import User, Workspace


class Request(HttpRequest):
    """A request after the middleware: somebody is signed in, and htmx may be asking."""

    user: User
    htmx: HtmxDetails


View = Callable[..., HttpResponseBase]


def methods(*allowed: str) -> Callable[[View], View]:
    """Answer to these methods only; for any other one, 405 with a page that says so."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in allowed:
                return view(request, *args, **kwargs)
            return HttpResponseNotAllowed(allowed, render_to_string("405.html"))

        return answer

    return decorate


#: To look at.
page = methods("GET", "HEAD")
#: To fill in: looked at first, then sent.
form_page = methods("GET", "HEAD", "POST")
#: To change something.
action = methods("POST")


def workspace_or_404(request: Request, slug: str) -> Workspace:
    """The workspace of an address; for strangers it does not exist."""
    return get_object_or_404(Workspace.objects.visible_to(request.user), slug=slug)


def render_error(template: str, status: int, **context: Any) -> HttpResponse:
    """A page that says what went wrong and what to do; it knows nothing of the request."""
    return HttpResponse(render_to_string(template, context), status=status)
