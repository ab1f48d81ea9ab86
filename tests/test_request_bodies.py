"""No page accepts files; a body that is not a small form is refused before it is read."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.urls import reverse

from config.handler import Handler
from tests.support.routes import OPEN, ROUTES, Route, public_address
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n--x--\r\n'


class Unreadable(io.RawIOBase):
    """A body that fails the test if anything reads it."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("The body was read.")

    readline = read  # type: ignore[assignment]


def status_without_reading(path: str, **environment: Any) -> int:
    """Return the status for a POST whose body must not be read."""
    request = RequestFactory().post(path).environ | environment | {"wsgi.input": Unreadable()}
    statuses: list[str] = []

    def start_response(status: str, *_: object) -> Any:
        statuses.append(status)

    response = Handler()(request, start_response)
    list(response)
    return int(statuses[0].split()[0])


@pytest.mark.parametrize("path", ["/sign-in/", "/theme/", "/admin/login/", "/", "/nowhere/"])
@pytest.mark.parametrize(
    ("expected", "environment"),
    [
        (415, {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": str(300 * 2**20)}),
        (415, {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": "10"}),
        (415, {"CONTENT_TYPE": "Multipart/Mixed", "CONTENT_LENGTH": "10"}),
        (413, {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(2**20 + 1)}),
        (413, {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": str(2**40)}),
        (411, {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}),
        (400, {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": "9" * 5000}),
    ],
)
def test_a_body_is_refused_before_it_is_read(
    path: str, expected: int, environment: dict[str, str]
) -> None:
    assert status_without_reading(path, **environment) == expected


def test_the_refusal_is_a_page_with_the_security_headers(client: Client) -> None:
    answer = client.post("/sign-in/", PART, MULTIPART)

    assert answer.status_code == 415
    assert "accepts no files" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert "object-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Reference"]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.post], ids=lambda r: r.name)
def test_no_route_accepts_a_file(client: Client, owner: Any, route: Route) -> None:
    address = reverse(route.name, kwargs={name: _any_value(name) for name in route.ids})

    answer = open_session(client, owner).post(address, PART, MULTIPART)

    assert answer.status_code == 415


# It reads no body: mail programs send “multipart/form-data” to it (RFC 8058).
@pytest.mark.parametrize("name", sorted(OPEN - {"notification_unsubscribe"}))
def test_no_public_route_accepts_a_file(client: Client, name: str) -> None:
    assert client.post(public_address(name), PART, MULTIPART).status_code == 415


def _any_value(name: str) -> int | str:
    return "contoso" if name == "slug" else 1


def test_a_form_up_to_the_limit_is_read(client: Client) -> None:
    rest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE - len("theme=dark&next=")

    fits = client.post("/theme/", "theme=dark&next=" + "x" * rest, FORM)
    exceeds = client.post("/theme/", "theme=dark&next=" + "x" * (rest + 1), FORM)

    assert (fits.status_code, exceeds.status_code) == (302, 413)
