"""What a page requires of its user: a sign-in, a second factor, a recent confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django_htmx.http import HttpResponseClientRedirect

from accounts.backends import user_of
from accounts.identity import ask_to_confirm, is_confirmed
from accounts.returning import ReturningMiddleware
from accounts.second_factor.requirement import EXEMPT, lacks_second_factor
from tenancy.http import Request


class SessionUserMiddleware(AuthenticationMiddleware):
    """Django's middleware; the user comes from the statement that reads the session.

    Django still checks that the password of the user is the one of the sign-in.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Add the user, who is loaded when a view or a template needs one."""
        super().process_request(request)
        user: Any = SimpleLazyObject(lambda: _user_of_session(request))
        request.user = user


def _user_of_session(request: HttpRequest) -> Any:
    """Load the user, who takes the place of the lazy one: a page asks for attributes many times."""
    with user_of(request.session):  # type: ignore[arg-type]
        user = get_user(request)
    request.user = user
    return user


class SignInRequiredMiddleware(ReturningMiddleware):
    """Requires a session, and records its activity.

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


class RecentSignInMiddleware:
    """Asks to confirm the identity before a view that is marked with `recent_sign_in_required`.

    It also asks before every change in the administration, most of which are about accounts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: Request,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if not _needs_recent_sign_in(request, view_func) or is_confirmed(request.session):
            return None
        return ask_to_confirm(request)


def _needs_recent_sign_in(request: Request, view_func: Callable[..., HttpResponseBase]) -> bool:
    match = request.resolver_match
    if match and match.namespace == "admin" and request.method == "POST":
        return match.url_name not in ("login", "logout")
    if request.method in ("GET", "HEAD") and getattr(view_func, "is_action", False):
        return False
    return getattr(view_func, "recent_sign_in_required", False)


class SecondFactorRequiredMiddleware:
    """Leads a user who must have a second factor to the page that adds one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: Request,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        is_exempt = bool(match and match.view_name in EXEMPT)
        is_public = not getattr(view_func, "login_required", True)
        if is_public or is_exempt or not lacks_second_factor(request):
            return None
        if request.htmx:
            return HttpResponseClientRedirect(reverse("second_factor_required"))
        return redirect("second_factor_required")
