"""System checks of the settings of webhooks; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from notifications.addresses import allowed_networks
from providers.graph.http import ssl_context


@register
def webhook_settings_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that the allowed networks are networks, and that the certificate authorities are read."""
    problems: list[CheckMessage] = []
    try:
        allowed_networks()
    except ValueError:
        problems.append(
            Error(
                "WEBHOOK_NETWORKS must be networks such as 10.20.0.0/16, separated by commas.",
                id="notifications.E001",
            )
        )
    try:
        ssl_context(settings.WEBHOOK_CA_BUNDLE)
    except OSError:
        problems.append(
            Error(
                "WEBHOOK_CA_BUNDLE must be a file with certificates (PEM).",
                id="notifications.E002",
            )
        )
    return problems
