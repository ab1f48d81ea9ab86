"""Requests without a session lead to the sign-in page, and from there back to the page they came from."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django_htmx.http import HttpResponseClientRedirect


class ReturningMiddleware(LoginRequiredMiddleware):
    """Django's middleware for sessions that end while a page is open.

    A live section that refreshes makes the whole page go to the sign-in page: its answer would be
    shown inside the section. After a form was posted, the sign-in leads back to the page of the
    form, where `static/runledger.js` fills in what was entered.
    """

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseRedirect | HttpResponseClientRedirect:
        is_live = "HX-Request" in request.headers
        path = request.get_full_path()
        if is_live:
            path = own_path(request, "HX-Current-URL") or "/"
        elif request.method not in ("GET", "HEAD"):
            path = own_path(request, "Referer") or path
        field = self.get_redirect_field_name(view_func)
        response = redirect_to_login(path, self.get_login_url(view_func), field)
        return HttpResponseClientRedirect(response.url) if is_live else response


def own_path(request: HttpRequest, header: str) -> str:
    """Return path and query of the address in a header; empty if it is not an address of this site."""
    try:
        address = urlsplit(request.headers.get(header, ""))
    except ValueError:
        return ""
    is_path = address.path.startswith("/") and not address.path.startswith("//")
    if address.netloc != request.get_host() or not is_path:
        return ""
    return urlunsplit(("", "", address.path, address.query, ""))
