"""Every route rejects bodies and methods that no page sends, and never crashes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenancy.roles import Role
from tests.isolation.bad_input import BROKEN, FORM, HOSTILE
from tests.isolation.conftest import SignIn, World
from tests.support.routes import OPEN, ROUTES, Route, public_address

pytestmark = pytest.mark.django_db

POST_ROUTES = pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.post], ids=lambda route: route.name
)
ALL_ROUTES = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
FIELDS = [
    *("run", "all", "filter", "submission", "reason", "name", "next", "theme", "kind", "kinds"),
    *("policy", "tenant", "q", "state", "cron", "timezone", "misfire", "client_id", "cloud"),
    *("credential", "secret", "workspace", "is_default", "id", "pk", "user", "status", "outcome"),
    *("username", "password", "policy_id", "_connector", "workspace__slug", "context__secret"),
    *(
        "item",
        "items",
        "all_of",
        "assignments",
        "access_state",
        "decision_digest",
        "tenant_name",
        "decision-1",
    ),
]
#: Acceptable statuses; 409, 413 and 415 are specific rejections.
ACCEPTABLE_STATUSES = {200, 302, 400, 403, 404, 405, 409, 413, 415}


def permitted_client(world: World, sign_in: SignIn, route: Route) -> Client:
    """A client of a user who may use the route."""
    client = sign_in(world.users["staff" if route.staff else Role.OWNER])
    client.raise_request_exception = False
    return client


def send(client: Client, address: str, body: bytes, content_type: str = FORM) -> Any:
    response = client.generic("POST", address, body, content_type)
    assert response.status_code in ACCEPTABLE_STATUSES, (response.status_code, body[:60])
    assert b"Traceback" not in response.content
    assert b"<script>alert(1)" not in response.content
    return response


def failures_of(client: Client, address: str, bodies: Iterable[tuple[bytes, str]]) -> list[str]:
    """Return a description of each body and content type that is not answered acceptably."""
    failures = []
    for body, content_type in bodies:
        try:
            send(client, address, body, content_type)
        except AssertionError as failure:
            failures.append(f"{content_type} {body[:60]!r}: {failure}")
    return failures


@POST_ROUTES
def test_a_hostile_value_in_every_field_is_rejected(
    world: World, sign_in: SignIn, route: Route
) -> None:
    client, address = permitted_client(world, sign_in, route), world.url(route, world.own_ids)
    bodies = [
        *(b"&".join(name.encode() + b"=" + value for name in FIELDS) for value in HOSTILE),
        b"&".join(name.encode() + b"[]=1" for name in FIELDS),
    ]

    assert failures_of(client, address, [(body, FORM) for body in bodies]) == [], route.name


@POST_ROUTES
def test_repeated_fields_are_accepted_or_rejected(
    world: World, sign_in: SignIn, route: Route
) -> None:
    body = b"&".join(name.encode() + b"=1&" + name.encode() + b"=2" for name in FIELDS)

    send(permitted_client(world, sign_in, route), world.url(route, world.own_ids), body)


@POST_ROUTES
def test_too_many_fields_and_too_large_a_body_are_rejected(
    world: World, sign_in: SignIn, route: Route
) -> None:
    client, address = permitted_client(world, sign_in, route), world.url(route, world.own_ids)

    many = send(client, address, b"&".join(b"f%d=1" % number for number in range(1001)))
    large = send(client, address, b"name=" + b"x" * 3_000_000)

    assert many.status_code in (302, 400, 413)
    # 404: the first request has removed the object.
    assert large.status_code in (302, 400, 404, 413)


@POST_ROUTES
def test_a_broken_body_is_rejected(world: World, sign_in: SignIn, route: Route) -> None:
    client, address = permitted_client(world, sign_in, route), world.url(route, world.own_ids)

    assert failures_of(client, address, BROKEN) == [], route.name


@ALL_ROUTES
def test_an_unsupported_method_is_rejected(world: World, sign_in: SignIn, route: Route) -> None:
    client, address = permitted_client(world, sign_in, route), world.url(route, world.own_ids)

    for method in ("FOO", "TRACE", "PUT", "PATCH", "DELETE"):
        response = client.generic(method, address, b"")

        assert response.status_code == 405, method
        assert response["Allow"]


@ALL_ROUTES
def test_head_and_options_never_crash(world: World, sign_in: SignIn, route: Route) -> None:
    client, address = permitted_client(world, sign_in, route), world.url(route, world.own_ids)

    head, options = client.head(address), client.options(address)

    assert head.status_code == (302 if route.post else 200)
    assert head.content == b"" if not head.streaming else True
    assert options.status_code in (200, 405)


@pytest.mark.parametrize("name", sorted(OPEN))
@pytest.mark.parametrize("method", ["FOO", "TRACE", "PUT", "DELETE"])
def test_a_public_route_rejects_unsupported_methods(client: Client, name: str, method: str) -> None:
    client.raise_request_exception = False

    response = client.generic(method, public_address(name), b"")

    # Signing out redirects anonymous users; Django's sign-in treats PUT like POST.
    exceptions = {("sign_in", "PUT"): 200, ("account_login", "PUT"): 200, ("sign_out", method): 302}
    assert response.status_code == exceptions.get((name, method), 405)


@pytest.mark.parametrize("name", ["sign_in", "identity_start", "theme", "sign_out"])
def test_a_public_form_accepts_any_value(client: Client, name: str) -> None:
    client.raise_request_exception = False
    fields = [[field.encode() + b"=" + value for field in FIELDS] for value in HOSTILE]

    assert failures_of(client, reverse(name), [(b"&".join(pairs), FORM) for pairs in fields]) == []


#: One request carries each group. No header of a group keeps another one from being read.
HEADERS: dict[str, dict[str, Any]] = {
    "of pages": {
        "HTTP_HX_REQUEST": "junk\x00",
        "HTTP_HX_CURRENT_URL": "javascript:alert(1)",
        "HTTP_HX_TARGET": "<script>",
        "HTTP_ACCEPT": "\xff/\x00;q=nan",
        "HTTP_IF_MODIFIED_SINCE": "yesterday",
    },
    "of browsers": {
        "HTTP_RANGE": "bytes=-9999999999999999999",
        "HTTP_IF_NONE_MATCH": "\x00" * 50,
        "HTTP_REFERER": "http://evil.example/\r\nX: y",
        "HTTP_USER_AGENT": "\x1b[31m\r\n",
    },
    "with another session": {
        "HTTP_COOKIE": "sessionid=" + "x" * 8000 + "; csrftoken=\x00; sessionid=y; theme=<script>",
    },
}


@ALL_ROUTES
def test_junk_in_a_header_never_crashes(world: World, sign_in: SignIn, route: Route) -> None:
    client, address = permitted_client(world, sign_in, route), world.url(route, world.own_ids)
    method = "POST" if route.post else "GET"
    for group, headers in HEADERS.items():
        response = client.generic(method, address, b"", **headers)

        assert response.status_code in ACCEPTABLE_STATUSES | {204, 206, 304, 416}, group


@pytest.mark.parametrize("host", ["evil.example", "a\x00b", "testserver:port", "[::1"])
def test_an_invalid_host_is_rejected(client: Client, host: str) -> None:
    client.raise_request_exception = False

    assert client.get(reverse("sign_in"), HTTP_HOST=host).status_code == 400
