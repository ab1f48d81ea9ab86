"""System checks of the settings of access tokens; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from accounts.access_tokens.models import MAX_TOKEN_DAYS


@register
def access_token_settings_are_valid(**_: Any) -> list[CheckMessage]:
    """Check the longest lifetime, which the database limits too, and the rate limit."""
    errors: list[CheckMessage] = []
    if not 1 <= settings.ACCESS_TOKEN_MAX_DAYS <= MAX_TOKEN_DAYS:
        text = f"ACCESS_TOKEN_MAX_DAYS must be from 1 to {MAX_TOKEN_DAYS}."
        errors.append(Error(text, id="accounts.E005"))
    if settings.API_REQUESTS_PER_MINUTE < 1:
        errors.append(Error("API_REQUESTS_PER_MINUTE must be at least 1.", id="accounts.E006"))
    return errors
