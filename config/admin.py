"""The administration site: invalid values in an address are a bad request, never a crash."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest


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
