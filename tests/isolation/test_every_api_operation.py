"""Every operation of the API with tokens of every role, and with own, foreign and missing ids."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api.problems import CONTENT_TYPE
from tenancy.models import Tenant, Workspace
from tenancy.roles import ROLE_CAPABILITIES, Role
from tests.isolation.conftest import MISSING_ID, WRITE, SignIn, World
from tests.support.api_routes import API_ROUTES, ApiRoute, document, documented_operations, send
from tests.support.database import SharedRows, rolled_back
from tests.support.tokens import open_api

BY_NAME = pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: route.name)
READS = [route for route in API_ROUTES if route.method == "get"]
TOKEN_ROLES = (Role.READER, Role.OPERATOR, Role.MANAGER)
Clients = dict[str, Client]


@pytest.fixture(scope="module")
def shared_clients(shared_world: World, shared_rows: SharedRows) -> Clients:
    """A client for each role, one with the token of an owner, and one of another workspace."""
    with shared_rows():
        ours, theirs = Workspace.objects.get(slug="ours"), Workspace.objects.get(slug="theirs")
        users = shared_world.users
        clients = {role.value: open_api(_user(users[role]), ours, role) for role in TOKEN_ROLES}
        clients["owner"] = open_api(_user(users[Role.OWNER]), ours, Role.MANAGER)
        clients["reader of an owner"] = open_api(_user(users[Role.OWNER]), ours, Role.READER)
        clients["stranger"] = open_api(_user(users["stranger"]), theirs, Role.MANAGER)
    return clients


def _user(user: Any) -> Any:
    assert user is not None
    return user


@pytest.fixture
def clients(shared_clients: Clients, world: World) -> Clients:
    return shared_clients


#: The role that decides for each client; a token has at most the rights of its user.
ROLES = {
    "reader": Role.READER,
    "operator": Role.OPERATOR,
    "manager": Role.MANAGER,
    "owner": Role.MANAGER,
    "reader of an owner": Role.READER,
}


def test_every_operation_is_in_the_table() -> None:
    documented = {name: method for name, (method, _) in documented_operations().items()}

    assert {route.name: route.method for route in API_ROUTES} == documented


@BY_NAME
def test_an_operation_answers_each_role_as_specified(
    world: World, clients: Clients, route: ApiRoute
) -> None:
    statuses, expected = {}, {}
    for kind, role in ROLES.items():
        is_permitted = route.capability in ROLE_CAPABILITIES[role]
        expected[kind] = route.status if is_permitted else 403
        with rolled_back():
            statuses[kind] = route.send(clients[kind], world.own_ids).status_code

    assert statuses == expected


@BY_NAME
def test_foreign_and_missing_objects_have_the_same_answer(
    world: World, clients: Clients, route: ApiRoute
) -> None:
    """Of the address, and of the body."""
    if route.ids:
        for kind in ("reader", "owner"):
            with rolled_back():
                missing = route.send(clients[kind], {}, body_ids=world.own_ids)
                foreign = route.send(clients[kind], world.foreign_ids, body_ids=world.own_ids)
            assert_same_404(missing, foreign)
    elif route.body:
        nothing = dict.fromkeys(world.own_ids, MISSING_ID)
        with rolled_back():
            missing = route.send(clients["manager"], nothing)
            foreign = route.send(clients["manager"], world.foreign_ids)
        assert_same_404(missing, foreign)


def assert_same_404(missing: Any, foreign: Any) -> None:
    assert (missing.status_code, foreign.status_code) == (404, 404)
    documents = [response.json() for response in (missing, foreign)]
    for problem in documents:
        del problem["reference"]
    assert documents[0] == documents[1]
    assert set(foreign.headers) == set(missing.headers)


def test_a_list_has_no_row_of_another_workspace(world: World, clients: Clients) -> None:
    ours = Workspace.objects.get(slug="ours")
    tenant_names = set(Tenant.objects.filter(workspace=ours).values_list("name", flat=True))
    for route in READS:
        if route.ids:
            continue
        body = route.send(clients["manager"], world.own_ids).json()
        for row in body.get("items", []):
            tenant = row.get("tenant")
            assert tenant is None or tenant["name"] in tenant_names, route.name


@BY_NAME
def test_only_a_token_admits(
    world: World, sign_in: SignIn, client: Client, route: ApiRoute
) -> None:
    refusals = {
        "nothing": client,
        "a session": sign_in(world.users[Role.OWNER]),
        "another scheme": Client(headers={"Authorization": "Basic cml0YTpyaXRh"}),
    }
    for kind, caller in refusals.items():
        response = route.send(caller, world.own_ids)

        assert response.status_code == 401, kind
        assert response["WWW-Authenticate"].startswith("Bearer "), kind
        assert response["Content-Type"] == CONTENT_TYPE


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_a_read_writes_nothing_but_the_use_of_the_token(
    world: World, clients: Clients, route: ApiRoute
) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = route.send(clients["manager"], world.own_ids)

    statements = [query["sql"] for query in captured if "access_token" not in query["sql"]]
    assert response.status_code == 200
    assert [sql for sql in statements if WRITE.match(sql)] == []


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_a_head_has_the_headers_of_a_get(world: World, clients: Clients, route: ApiRoute) -> None:
    read = route.send(clients["manager"], world.own_ids)
    head: Any = clients["manager"].head(route.url(world.own_ids))
    missing = clients["manager"].head(route.url({})).status_code if route.ids else 404
    changing = {"RateLimit-Remaining", "RateLimit-Reset", "X-Reference"}

    assert (head.status_code, b"".join(head), missing) == (200, b"", 404)
    assert {name: read[name] for name in read.headers if name not in changing} == {
        name: head[name] for name in head.headers if name not in changing
    }


@BY_NAME
def test_an_unknown_parameter_is_refused(world: World, clients: Clients, route: ApiRoute) -> None:
    address = f"{route.url(world.own_ids)}?outcomme=failed&tenant=&tenant="

    response = getattr(clients["manager"], route.method)(address)

    assert response.status_code == 400
    assert {"location": "query", "name": "outcomme", "message": "There is no such parameter."} in (
        response.json()["errors"]
    )


@pytest.mark.parametrize("hostile", ["9" * 19, "9" * 5000, "-1", "1.5", "\uff11", "abc", "%00"])
def test_an_invalid_id_is_not_found(world: World, clients: Clients, hostile: str) -> None:
    for route in API_ROUTES:
        if route.ids:
            address = route.url({}).replace(str(MISSING_ID), hostile)
            body = route.body(world.own_ids) if route.body else None
            response = send(clients["manager"], route.method, address, body)

            assert (response.status_code, response["Content-Type"]) == (404, CONTENT_TYPE), (
                route.name
            )


HOSTILE_VALUES = [
    *("\x00", "%00", "\ud800", "-1", "1e400", "NaN", "9" * 5000, "0000-00-00", "' OR 1=1 --"),
    *("a" * 10_000, "context__secret", "1_0"),
]


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_a_hostile_value_is_never_an_error_of_the_server(
    world: World, clients: Clients, route: ApiRoute
) -> None:
    method, path = documented_operations()[route.name]
    parameters = document()["paths"][path][method].get("parameters", [])
    names = [each["name"] for each in parameters if each["in"] == "query"]
    for value in HOSTILE_VALUES:
        text = value.encode("utf-8", "surrogatepass").decode("latin-1")
        response = clients["manager"].get(route.url(world.own_ids), dict.fromkeys(names, text))

        assert response.status_code in (200, 400), value[:40]
