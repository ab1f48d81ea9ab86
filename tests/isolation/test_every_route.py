"""Every route, requested by every kind of user, with own, foreign and missing ids."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, reverse

from tenancy.models import User
from tenancy.roles import ROLE_CAPABILITIES, Capability, Role
from tests.isolation.admin_pages import REGISTERED, addresses
from tests.isolation.conftest import MISSING, WRITE, SignIn, World
from tests.support.database import rolled_back
from tests.support.routes import OPEN, ROUTES, Route, named_routes, public_address

BY_NAME = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
ADMIN_PAGES = [
    *("/admin/", "/admin/login/", "/admin/logout/", "/admin/jsi18n/", "/admin/tenancy/"),
    *("/admin/password_change/", "/admin/password_change/done/"),
    "/admin/autocomplete/?app_label=tenancy&model_name=tenant&field_name=workspace",
]
USER_KINDS = [*Role.values, "staff", "support", "stranger", "inactive", "anonymous"]
WITH_IDS = [route for route in ROUTES if route.ids]


def expected(route: Route, user_kind: str) -> int:
    """The status that the table specifies for the own workspace."""
    if user_kind in ("anonymous", "inactive"):
        return HTTPStatus.FOUND
    if route.staff:
        is_staff = user_kind in ("staff", "support")
        return route.expected_status if is_staff else HTTPStatus.FORBIDDEN
    if route.capability is None:
        return route.expected_status
    if user_kind == "support":
        may_read = route.capability == Capability.VIEW and not route.post
        return route.expected_status if may_read else HTTPStatus.FORBIDDEN
    if user_kind in ("staff", "stranger"):
        return HTTPStatus.NOT_FOUND
    allowed = route.capability in ROLE_CAPABILITIES[user_kind]
    return route.expected_status if allowed else HTTPStatus.FORBIDDEN


def permitted_user(world: World, route: Route) -> User | None:
    """A user who may use the route."""
    return world.users["staff" if route.staff else Role.OWNER]


def request(client: Client, route: Route, url: str) -> Any:
    if not route.post:
        return client.get(url)
    # Some changes take a reason.
    return client.post(url, {"reason": "Contract ended"})


def test_every_route_is_in_the_table() -> None:
    assert named_routes() == OPEN | {"home"} | {route.name for route in ROUTES}


@BY_NAME
def test_a_route_answers_each_kind_of_user_as_specified(
    world: World, sign_in: SignIn, route: Route
) -> None:
    url = world.url(route, world.own_ids)
    responses = {}
    for user_kind in USER_KINDS:
        with rolled_back():
            responses[user_kind] = request(sign_in(world.users[user_kind]), route, url)

    statuses = {user_kind: response.status_code for user_kind, response in responses.items()}
    assert statuses == {user_kind: expected(route, user_kind) for user_kind in USER_KINDS}
    for user_kind in ("anonymous", "inactive"):
        assert responses[user_kind]["Location"].startswith(reverse("sign_in"))


@pytest.mark.parametrize("route", WITH_IDS, ids=lambda route: route.name)
def test_foreign_and_missing_objects_return_identical_404_responses(
    world: World, sign_in: SignIn, route: Route
) -> None:
    missing, foreign = world.url(route, MISSING), world.url(route, world.foreign_ids)
    for user_kind in (*Role.values, "staff", "support"):
        client = sign_in(world.users[user_kind])
        assert_identical_404(request(client, route, missing), request(client, route, foreign))


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if len(route.ids) > 1], ids=lambda route: route.name
)
def test_a_foreign_object_under_the_own_workspace_returns_the_404_of_a_missing_one(
    world: World, sign_in: SignIn, route: Route
) -> None:
    own = {"slug": world.own_ids["slug"]}
    missing, foreign = world.url(route, own), world.url(route, world.foreign_ids | own)
    # To support, every write to a workspace that it reads is refused before anything is looked up.
    kinds = (*Role.values, "staff") if route.post else (*Role.values, "staff", "support")
    for user_kind in kinds:
        client = sign_in(world.users[user_kind])
        assert_identical_404(request(client, route, missing), request(client, route, foreign))


def assert_identical_404(missing: Any, foreign: Any) -> None:
    assert (missing.status_code, foreign.status_code) == (404, 404)
    assert foreign.content == missing.content
    assert set(foreign.headers) == set(missing.headers)


def status_and_writes(client: Client, address: str) -> tuple[int, list[str]]:
    """The status of a GET request, and its writes except those to the session."""
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    statements = [query["sql"] for query in captured if '"sessions"' not in query["sql"]]
    return response.status_code, [sql for sql in statements if WRITE.match(sql)]


@BY_NAME
def test_a_get_request_writes_nothing(world: World, sign_in: SignIn, route: Route) -> None:
    status, writes = status_and_writes(
        sign_in(permitted_user(world, route)), world.url(route, world.own_ids)
    )

    assert status == (HTTPStatus.FOUND if route.post else HTTPStatus.OK)
    assert writes == []


#: Their status for a GET request of a signed-in user.
PUBLIC_STATUS = {
    "home": HTTPStatus.FOUND,
    "healthz": HTTPStatus.SERVICE_UNAVAILABLE,  # no beat has ticked in a test
    "livez": HTTPStatus.OK,
    "metrics": HTTPStatus.NOT_FOUND,  # neither a token nor networks are set
    "sign_in": HTTPStatus.FOUND,
    "account_login": HTTPStatus.FOUND,
    "identity_start": HTTPStatus.FOUND,
    # No provider is configured.
    "entra_callback": HTTPStatus.NOT_FOUND,
    "oidc_callback": HTTPStatus.NOT_FOUND,
    "sign_out": HTTPStatus.FOUND,
    "theme": HTTPStatus.FOUND,
    "mfa_authenticate": HTTPStatus.FOUND,
    "passkey_sign_in": HTTPStatus.OK,
    "invitation_open": HTTPStatus.NOT_FOUND,
    "invitation_accept": HTTPStatus.NOT_FOUND,
    "sign_in_link": HTTPStatus.NOT_FOUND,
    "password_reset": HTTPStatus.OK,
    "password_reset_confirm": HTTPStatus.NOT_FOUND,
    "notification_unsubscribe": HTTPStatus.NOT_FOUND,
    "openapi_document": HTTPStatus.OK,
}


@pytest.mark.parametrize("name", sorted(OPEN | {"home"}))
def test_a_get_request_to_a_public_route_writes_nothing(
    world: World, sign_in: SignIn, name: str
) -> None:
    status, writes = status_and_writes(sign_in(world.users[Role.OWNER]), public_address(name))

    assert status == PUBLIC_STATUS[name]
    assert_writes_nothing(name, writes)


@pytest.mark.parametrize("name", sorted(OPEN | {"home"}))
def test_an_anonymous_get_request_writes_nothing(db: None, client: Client, name: str) -> None:
    assert_writes_nothing(name, status_and_writes(client, public_address(name))[1])


def assert_writes_nothing(name: str, writes: list[str]) -> None:
    """Only the health check writes, one separate row: it asks whether the database accepts that."""
    if name == "healthz":
        (write,) = writes
        assert write.startswith("INSERT INTO operation_ticks (name, at) VALUES ('health',")
    else:
        assert writes == []


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_viewing_a_model_in_the_admin_writes_nothing(
    world: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(world.users["staff"])

    results = {
        page: status_and_writes(client, address) for page, address in addresses(model).items()
    }

    assert {status for status, _ in results.values()} <= {HTTPStatus.OK, HTTPStatus.FORBIDDEN}
    assert [writes for _, writes in results.values() if writes] == []


@pytest.mark.parametrize("address", ADMIN_PAGES)
def test_viewing_another_admin_page_writes_nothing(
    world: World, sign_in: SignIn, address: str
) -> None:
    status, writes = status_and_writes(sign_in(world.users["staff"]), address)

    assert status in (HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
    assert writes == []


def test_every_admin_page_is_tested() -> None:
    """The pages of models are tested by model; the list names all other pages."""
    site: Any
    (site,) = [
        entry for entry in get_resolver().url_patterns if getattr(entry, "app_name", "") == "admin"
    ]
    others = {entry.name for entry in site.url_patterns if isinstance(entry, URLPattern)}

    assert others == {
        *("index", "login", "logout", "password_change", "password_change_done"),
        *("app_list", "autocomplete", "jsi18n", "view_on_site"),
        None,  # the page for unknown addresses
    }


HOSTILE_IDS = [
    "0",
    "9" * 19,
    "9" * 30,
    "9" * 5000,
    "-1",
    "1.5",
    "\uff11\uff12",
    "1_0",
    "%00",
    "abc",
    "1%20",
]


@pytest.mark.parametrize("route", WITH_IDS, ids=lambda route: route.name)
def test_an_invalid_id_is_not_found(world: World, sign_in: SignIn, route: Route) -> None:
    client = sign_in(world.users[Role.OWNER])
    address = world.url(route, {"slug": world.own_ids["slug"]})
    last = str(2**40) if str(2**40) in address else world.own_ids["slug"]

    statuses = {
        hostile: request(client, route, address.replace(last, hostile)).status_code
        for hostile in HOSTILE_IDS
    }

    failures = {
        hostile[:40]: status
        for hostile, status in statuses.items()
        if status != HTTPStatus.NOT_FOUND
    }
    assert failures == {}, route.name


PARAMETERS = [
    *("q", "view", "type", "tenant", "status", "outcome", "since", "until", "older", "newer"),
    *("page", "kind", "missing", "items", "items_after", "level", "before", "seen", "part"),
    *("gone", "cursor", "sort", "order", "next", "limit", "item"),
]
HOSTILE_VALUES = [
    "",
    "\x00",
    "%00",
    "\ud800",
    "\uff19" * 20,
    "9" * 5000,
    "-1",
    "1e400",
    "NaN",
    "2026-02-30",
    "0000-00-00",
    "99999-01-01",
    "../../etc/passwd",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "a" * 10_000,
    "\u202e\ufeff\u200d",
    "context__secret",
]


def is_acceptable(response: Any) -> bool:
    """Return whether the response is a page or a refusal without a traceback or an echoed script."""
    content = getattr(response, "content", b"")
    return (
        response.status_code in (200, 204, 302, 400, 404)
        and b"Traceback" not in content
        and b"<script>alert(1)" not in content
    )


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if not route.post], ids=lambda route: route.name
)
def test_an_invalid_parameter_is_rejected_or_ignored(
    world: World, sign_in: SignIn, route: Route
) -> None:
    client = sign_in(permitted_user(world, route))
    client.raise_request_exception = False
    address = world.url(route, world.own_ids)
    texts = [value.encode("utf-8", "surrogatepass").decode("latin-1") for value in HOSTILE_VALUES]
    failures = {}
    for text in texts:
        response = client.get(address, dict.fromkeys(PARAMETERS, text))
        if not is_acceptable(response):
            failures[text[:40]] = response.status_code
    # No page reads a name that ends in [], whatever its value.
    response = client.get(address, {f"{name}[]": texts for name in PARAMETERS})
    if response.status_code != HTTPStatus.OK or not is_acceptable(response):
        failures["name[]"] = response.status_code

    assert failures == {}, route.name


def test_only_staff_can_open_the_admin(world: World, sign_in: SignIn) -> None:
    for user_kind, user in world.users.items():
        response = sign_in(user).get("/admin/")

        is_staff = user_kind in ("staff", "support")
        assert response.status_code == (200 if is_staff else 302), user_kind


def test_every_capability_is_required_by_a_route() -> None:
    assert {route.capability for route in ROUTES} >= set(Capability)
