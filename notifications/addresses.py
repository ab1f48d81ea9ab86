"""The network addresses that a webhook may reach, checked on the address that is connected to.

A name is resolved once, when the connection is made, and the connection goes to the address that was
checked: a name that resolves to another address a moment later changes nothing.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import time
from collections.abc import Iterable
from typing import Any

import httpcore2
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Prefixes of IPv6 addresses that end with the IPv4 address that they reach: mapped (RFC 4291),
#: compatible (its predecessor), translated (RFC 2765), and NAT64 (RFC 6052).
_ENDING_IN_IPV4 = tuple(
    ipaddress.IPv6Network(text)
    for text in ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
#: The IPv6 addresses of the internet. Others are private, local, or not assigned.
_INTERNET = ipaddress.IPv6Network("2000::/3")
#: Public by their range, and reserved for documentation (RFC 9637) or for relays of 6to4 (RFC 7526),
#: which versions of `ipaddress` judge differently.
_RESERVED: tuple[Network, ...] = (
    ipaddress.IPv6Network("3fff::/20"),
    ipaddress.IPv4Network("192.88.99.0/24"),
)


class ForbiddenAddress(Exception):
    """The name resolves to an address that webhooks may not reach."""


@functools.lru_cache(maxsize=8)
def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return the networks.

    Raises:
        ValueError: a text is no network, or one with host bits.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def allowed_networks() -> tuple[Network, ...]:
    """Return the networks that the installation allows besides the internet."""
    return parse_networks(tuple(settings.WEBHOOK_NETWORKS))


def is_allowed(text: str, *, encrypted: bool) -> bool:
    """Return whether a webhook may connect to this IP address.

    The internet is allowed over TLS, other addresses only in `WEBHOOK_NETWORKS`. An address that
    contains an IPv4 address counts as that one.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    reached = _reached_by(address)
    if any(address in network or reached in network for network in allowed_networks()):
        return True
    return encrypted and _is_public(address) and _is_public(reached)


def _reached_by(address: Address) -> Address:
    """Return the IPv4 address to which an IPv6 address is translated or tunneled, or the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in _ENDING_IN_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _INTERNET:
        return any(address in network for network in _ENDING_IN_IPV4)
    if any(address in network for network in _RESERVED):
        return False
    return address.is_global and not address.is_multicast


class _Stream(httpcore2.NetworkStream):
    """A stream on which everything together ends at a deadline, however slowly bytes arrive."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_until(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_until(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        seconds = _seconds_until(self._deadline)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to the addresses of a name that webhooks may reach, and to no other.

    Connecting, the handshake, the request and the response take `seconds` together. Resolving the
    name has the limits of the system's resolver.
    """

    def __init__(self, *, encrypted: bool, seconds: float) -> None:
        self._encrypted = encrypted
        self._seconds = seconds
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers.

        Raises:
            ForbiddenAddress: one of the addresses of the name is not allowed.
            httpcore2.ConnectError: no address answered, or the name is unknown.
            httpcore2.ConnectTimeout: no address answered in time.
        """
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError from error
        addresses = list(dict.fromkeys(str(row[4][0]) for row in rows))
        if not all(is_allowed(each, encrypted=self._encrypted) for each in addresses):
            raise ForbiddenAddress
        deadline = time.monotonic() + self._seconds
        failure: Exception = httpcore2.ConnectError()
        for number, address in enumerate(addresses):
            # The other addresses get their share of the time that is left.
            seconds = _seconds_until(deadline) / (len(addresses) - number)
            try:
                stream = self._backend.connect_tcp(address, port, seconds)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, deadline)
        raise failure


def _seconds_until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout
    return left
