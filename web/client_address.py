"""The address that a request came from, also behind proxies."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from ipware import get_client_ip


def client_address(request: HttpRequest) -> str | None:
    """Return the address of the client, or None if the server does not know it.

    With TRUSTED_PROXIES it is the one that the outermost of these proxies added to X-Forwarded-For.
    Addresses to the left of it come from the client, which can invent them.
    """
    if settings.TRUSTED_PROXIES:
        address, _ = get_client_ip(
            request,
            # The last proxy is not in the header; it is the peer of this server.
            proxy_count=settings.TRUSTED_PROXIES - 1,
            request_header_order=["HTTP_X_FORWARDED_FOR"],
            strict=False,
        )
        if address:
            return without_zone(address)
    return without_zone(request.META.get("REMOTE_ADDR", ""))


def client_network(address: str | None) -> str:
    """Return what limits count as one client: an IPv4 address, or the first of an IPv6 /64.

    A customer of an IPv6 network has a whole /64, so single addresses would limit nothing. Clients
    whose address is unknown count as one.
    """
    if not address:
        return "0.0.0.0"  # noqa: S104 - not a listener  # nosec B104
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)


def without_zone(text: str) -> str | None:
    """Return a valid address without the zone of a link-local one, which no column accepts."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None
