"""The administration site: invalid values in an address are a bad request, never a crash."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode


def reject_invalid_values(view: Callable[..., Any]) -> Any:
    """Answer 400 where Django reports a filter, or the database a value, as invalid."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if ERROR_FLAG in request.GET:
            raise BadRequest("A filter is not valid.")
        try:
            return view(request, *args, **kwargs)
        except (DataError, OverflowError) as error:
            raise BadRequest("A value is not valid.") from error

    return answer


class SupportSite(admin.AdminSite):
    """Disables bulk deletion: objects are deleted one by one, through the services."""

    site_header = "Runledger administration"
    site_title = "Runledger"
    index_title = "Support"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(reject_invalid_values(view), cacheable)

    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Use the sign-in page of the site, which asks for every factor.

        Raises:
            PermissionDenied: the user is signed in, and is not staff.
        """
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied("Only staff can open the administration.")
        target = request.GET.get(REDIRECT_FIELD_NAME, reverse("admin:index"))
        return redirect(f"{reverse('sign_in')}?{urlencode({REDIRECT_FIELD_NAME: target})}")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Use the page of the account."""
        return redirect("password_change")
