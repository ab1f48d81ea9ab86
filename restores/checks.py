"""System check of the settings of restores; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

#: A year; a longer time is a mistake.
_MAX_HOURS = 8_784


@register
def expiry_settings_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that previews and approvals expire, and not at once."""
    return [
        Error(f"{name} must be from 1 to {_MAX_HOURS:,}.", id="restores.E001")
        for name in ("RESTORE_PREVIEW_HOURS", "RESTORE_APPROVAL_HOURS")
        if not 1 <= getattr(settings, name) <= _MAX_HOURS
    ]
