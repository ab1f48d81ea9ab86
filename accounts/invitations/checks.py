"""A system check of the setting of invitations; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

#: The database refuses longer ones.
_MAX_DAYS = 31


@register
def invitation_days_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that the lifetime of an invitation is from 1 to 31 days."""
    if 1 <= settings.INVITATION_DAYS <= _MAX_DAYS:
        return []
    return [Error(f"INVITATION_DAYS must be from 1 to {_MAX_DAYS}.", id="accounts.E001")]
