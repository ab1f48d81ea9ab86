"""Which addresses webhooks reach: judged when the connection is made, not when a name is entered."""

from __future__ import annotations

import socket
from typing import Any

import httpcore2
import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from notifications.addresses import CheckedBackend, ForbiddenAddress, is_allowed
from notifications.endpoints import validate_url

PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
FORBIDDEN = (
    # Of this host, of a private network, of the provider, of a link, of no host.
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3", "192.0.0.1", "198.18.0.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("100::1", "2001:db8::1", "3fff::1", "5f00::1", "2001::1", "2001:10::1"),
    # IPv4 addresses inside of IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo.
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::10.0.0.1"),
    *("::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::7f00:1", "64:ff9b:1:7f00:0:100::", "2002:7f00:1::", "2002:a00:1::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2",),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_allowed_over_tls_only(address: str) -> None:
    assert is_allowed(address, encrypted=True)
    assert not is_allowed(address, encrypted=False)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_other_addresses_are_refused(address: str) -> None:
    assert not is_allowed(address, encrypted=True)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.20.0.7", True),
        ("::ffff:10.20.0.7", True),
        ("64:ff9b::10.20.0.7", True),
        ("10.21.0.7", False),
        ("::ffff:10.21.0.7", False),
        ("fd12::7", True),
        ("fd13::7", False),
    ],
)
@pytest.mark.parametrize("encrypted", [True, False])
def test_the_installation_allows_networks(
    settings: Settings, address: str, allowed: bool, encrypted: bool
) -> None:
    settings.WEBHOOK_NETWORKS = ["10.20.0.0/16", "fd12::/16"]

    assert is_allowed(address, encrypted=encrypted) is allowed


# --- connecting -----------------------------------------------------------------------------------


@pytest.fixture
def port() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def connect(host: str, port: int) -> None:
    CheckedBackend(encrypted=True, seconds=5).connect_tcp(host, port).close()


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0"]
)
def test_every_way_to_write_loopback_is_refused(host: str, port: int) -> None:
    with pytest.raises(ForbiddenAddress):
        connect(host, port)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1"])
def test_an_allowed_network_is_connected_to(settings: Settings, host: str, port: int) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]

    connect(host, port)


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answer each look-up of a name with the next list of addresses; return the names asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host != "hooks.example.com":
            return real(host, port, *arguments, **options)
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_a_name_is_resolved_once_and_the_checked_address_is_used(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, port: int
) -> None:
    """The second answer of a name that changes its address is never asked for."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    asked = resolve(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])

    connect("hooks.example.com", port)

    assert asked == ["hooks.example.com"]


def test_one_forbidden_address_of_a_name_is_enough_to_refuse_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, port: int
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    resolve(monkeypatch, ["127.0.0.1", "169.254.169.254"])

    with pytest.raises(ForbiddenAddress):
        connect("hooks.example.com", port)


def test_the_next_address_is_tried(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, port: int
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    resolve(monkeypatch, ["127.0.0.2", "127.0.0.1"])

    connect("hooks.example.com", port)


@pytest.mark.parametrize("host", ["name.invalid", "a" * 64 + ".example.com", ".."])
def test_an_unknown_name_cannot_be_reached(host: str) -> None:
    with pytest.raises(httpcore2.ConnectError):
        connect(host, 443)


# --- entering an address --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/a",
        "ftp://hooks.example.com/",
        "javascript:alert(1)",
        "https://",
        "https:///a",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks example.com/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nHost: other",
        "https://hööks.example.com/",
        "https://[::1/",
        "https://[v1.a]/",
        "https://exa$mple.com/",
        f"https://hooks.example.com/{'a' * 1000}",
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
    ],
)
def test_an_address_that_is_no_webhook_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        validate_url(url)

    assert refusal.value.message_dict.keys() == {"url"}


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/services/T0/B0/x?y=z#part",
        "https://hooks.example.com:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:8443/a",
        "https://xn--hks-snaa.example.com/",
        "https://my_service/",
    ],
)
def test_an_address_of_a_webhook_is_accepted(url: str) -> None:
    validate_url(url)


def test_plain_http_needs_an_allowed_network(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["10.20.0.0/16"]

    validate_url("http://tickets.internal/")
    validate_url("http://10.20.0.1/")
    with pytest.raises(ValidationError):
        validate_url("http://8.8.8.8/")


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_NETWORKS", ["10.20.0.1/16"]),
        ("WEBHOOK_NETWORKS", ["localhost"]),
        ("WEBHOOK_CA_BUNDLE", "/no/such/file.pem"),
        ("WEBHOOK_CA_BUNDLE", __file__),
    ],
)
def test_wrong_settings_prevent_the_start(settings: Settings, name: str, value: object) -> None:
    setattr(settings, name, value)

    with pytest.raises(SystemCheckError, match=name):
        call_command("check")
