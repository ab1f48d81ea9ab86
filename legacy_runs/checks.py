"""System checks: an older address that leads elsewhere is told at the start, not by a bookmark."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import Resolver404, get_resolver

from legacy_runs.addresses import OLDER, OlderAddress


@register(Tags.urls)
def older_addresses_lead_to_history(**_: Any) -> list[CheckMessage]:
    """No page of the product, and no other line of the table, has the address already."""
    return [
        Error(
            f"LEGACY_ADDRESSES: “{each.kind}={each.path}” is the address of something else.",
            hint="Leave it out: what an address leads to already stays as it is.",
            id="legacy_runs.E001",
        )
        for each in OLDER
        if not leads_to_history(each)
    ]


def leads_to_history(address: OlderAddress) -> bool:
    """Whether an example of the address arrives at its own route."""
    try:
        return get_resolver().resolve(f"/{_example(address.path)}").url_name == address.name
    except Resolver404:
        return False


def _example(shape: str) -> str:
    """The path with something in every place."""
    return re.sub(
        r"<(?:(\w+):)?\w+>", lambda place: f"{uuid.UUID(int=1) if place[1] == 'uuid' else 1}", shape
    )
