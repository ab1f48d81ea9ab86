"""Every page requires sign-in, unless its view is marked with `login_not_required`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Django's middleware, which also records the activity of the session.

    A live section that reloads itself is no activity: otherwise an open page would never be idle.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        response = super().process_view(request, view_func, view_args, view_kwargs)
        is_signed_in = response is None and getattr(view_func, "login_required", True)
        if is_signed_in and "HX-Request" not in request.headers:
            request.session.record_activity()  # type: ignore[attr-defined]
        return response
