"""The address of a client is that which the trusted proxies saw, whatever the client sends."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from web.client_address import client_address, client_network


def address(*, peer: str = "192.0.2.1", forwarded: str = "") -> str | None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.7", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 10.0.0.7", "10.0.0.7"),
        (1, "6.6.6.6, 127.0.0.1", "127.0.0.1"),
        (1, "not an address", "192.0.2.1"),
        (1, "<script>, 203.0.113.7", "203.0.113.7"),
        (1, "203.0.113.7:51234", "203.0.113.7"),
        (1, "2001:db8::7", "2001:db8::7"),
        (2, "203.0.113.7, 198.51.100.1", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7, 198.51.100.1", "203.0.113.7"),
        (2, "198.51.100.1", "192.0.2.1"),
    ],
)
def test_only_the_part_of_the_header_that_proxies_wrote_counts(
    settings: Settings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert address(forwarded=forwarded) == expected


@pytest.mark.parametrize(
    ("peer", "expected"), [("", None), ("fe80::1%eth0", "fe80::1"), ("::1", "::1"), ("x", None)]
)
def test_the_address_of_the_peer_is_one_that_a_column_accepts(
    peer: str, expected: str | None
) -> None:
    assert address(peer=peer) == expected


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        (None, "0.0.0.0"),
    ],
)
def test_the_addresses_of_one_ipv6_customer_count_as_one(client: str | None, network: str) -> None:
    assert client_network(client) == network
