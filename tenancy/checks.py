"""A system check of the setting of support access; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from tenancy.models import MAX_SUPPORT_HOURS


@register
def support_access_hours_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that support access ends within the time that the database accepts."""
    if 1 <= settings.SUPPORT_ACCESS_HOURS <= MAX_SUPPORT_HOURS:
        return []
    text = f"SUPPORT_ACCESS_HOURS must be from 1 to {MAX_SUPPORT_HOURS}."
    return [Error(text, id="tenancy.E001")]
