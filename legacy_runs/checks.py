"""System check: a legacy address that another page uses fails at startup."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import Resolver404, get_resolver

from legacy_runs.addresses import ADDRESSES, LegacyAddress


@register(Tags.urls)
def legacy_addresses_are_free(**_: Any) -> list[CheckMessage]:
    """Report every legacy address that a page of the product or an earlier line already uses."""
    return [
        Error(
            f"LEGACY_ADDRESSES: “{address.kind}={address.path}” is the address of another page.",
            hint="Remove the line; the page keeps its address.",
            id="legacy_runs.E001",
        )
        for address in ADDRESSES
        if not resolves_to_own_route(address)
    ]


def resolves_to_own_route(address: LegacyAddress) -> bool:
    """Whether an example of the address resolves to the address's own route."""

    def example(placeholder: re.Match[str]) -> str:
        return str(uuid.UUID(int=1)) if placeholder[1] == "uuid" else "1"

    url = re.sub(r"<(?:(\w+):)?\w+>", example, address.path)
    try:
        return get_resolver().resolve(f"/{url}").url_name == address.name
    except Resolver404:
        return False
