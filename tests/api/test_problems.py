"""Errors are problem documents, whatever part of Runledger refuses the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from accounts.access_tokens.services import revoke
from api.problems import CONTENT_TYPE
from api.views import runs
from backups.models import BackupSchedule
from operations.models import OperationRun
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.api_routes import send
from tests.support.tokens import open_api

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/runs"
LARGE = b"[" + b"0," * 5_000_000 + b"0]"


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert response.status_code == document["status"] == status
    assert response["Content-Type"] == CONTENT_TYPE
    assert response["X-Reference"] == document["reference"]
    assert document["type"] == f"urn:runledger:problem:{document['code']}"
    assert "no-store" in response["Cache-Control"]
    return document


REQUESTS: dict[str, tuple[int, Callable[[Client], Any]]] = {
    "a body of 10 MB": (
        413,
        lambda api: api.post(RUNS, LARGE, content_type="application/json"),
    ),
    "a form": (415, lambda api: api.post(RUNS, {"type": "inventory.sync"})),
    "a form without files": (
        415,
        lambda api: api.post(
            RUNS, "type=inventory.sync", content_type="application/x-www-form-urlencoded"
        ),
    ),
    "another charset": (
        400,
        lambda api: api.post(RUNS, b"{}", content_type="application/json; charset=utf-16"),
    ),
    "half a body": (400, lambda api: api.post(RUNS, '{"ty', content_type="application/json")),
    "a deep body": (
        400,
        lambda api: api.post(RUNS, "[" * 100_000, content_type="application/json"),
    ),
    "bytes that are no text": (
        400,
        lambda api: api.post(RUNS, b'"\xff"', content_type="application/json"),
    ),
    "no body": (400, lambda api: api.post(RUNS, content_type="application/json")),
    "an unknown type": (
        400,
        lambda api: api.post(RUNS, {"type": "x"}, content_type="application/json"),
    ),
    "a number as text": (
        400,
        lambda api: api.post(
            RUNS, {"type": "inventory.sync", "tenant": "1"}, content_type="application/json"
        ),
    ),
    "an unknown property": (
        400,
        lambda api: api.post(
            RUNS, {"type": "operations.prune", "force": True}, content_type="application/json"
        ),
    ),
    "a half of a character": (
        400,
        lambda api: api.post(
            "/api/v1/schedules",
            '{"tenant": 1, "name": "\\ud800", "cron": "0 2 * * *"}',
            content_type="application/json",
        ),
    ),
    "a repeated name": (
        400,
        lambda api: api.post(
            RUNS,
            '{"type": "inventory.sync", "tenant": 1, "tenant": 2}',
            content_type="application/json",
        ),
    ),
    "a number that is not JSON": (
        400,
        lambda api: api.post(
            RUNS, '{"type": "inventory.sync", "tenant": NaN}', content_type="application/json"
        ),
    ),
    "a number of 5,000 digits": (
        400,
        lambda api: api.post(
            RUNS,
            '{"type": "inventory.sync", "tenant": ' + "9" * 5000 + "}",
            content_type="application/json",
        ),
    ),
    "a half of a character in a list": (
        400,
        lambda api: api.post(
            "/api/v1/schedules",
            '{"tenant": 1, "name": "x", "cron": "0 2 * * *", "kinds": ["\\ud800"]}',
            content_type="application/json",
        ),
    ),
    "a body without a place for it": (
        400,
        lambda api: api.post(f"{RUNS}/1/retry", {"x": 1}, content_type="application/json"),
    ),
    "an unknown address": (404, lambda api: api.get("/api/v1/tennants")),
    "another version": (404, lambda api: api.get("/api/v2/runs")),
    "a method": (405, lambda api: api.delete(RUNS)),
    "a host": (400, lambda api: api.get(RUNS, headers={"Host": "evil.example.com"})),
    "a length": (
        411,
        lambda api: api.generic("POST", RUNS, headers={"Transfer-Encoding": "chunked"}),
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_bad_request_is_explained_and_writes_nothing(
    api: Client, tenant: Tenant, settings: Settings, name: str
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    status, send = REQUESTS[name]

    response = send(api)

    assert_problem(response, status)
    assert not OperationRun.objects.exists()
    assert not BackupSchedule.objects.exists()
    if status == 405:
        assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "x" * 500_000},
        {"type": "operations.prune", "x" * 500_000: 1},
        {"type": "operations.prune"} | {f"unknown{number}": 1 for number in range(20_000)},
        {"type": "policy.export", "tenant": 1, "policies": ["x"] * 2000},
    ],
)
def test_an_answer_is_short_however_long_the_request_is(api: Client, body: dict[str, Any]) -> None:
    response = api.post(RUNS, body, content_type="application/json")

    assert assert_problem(response, 400)["errors"]
    assert len(response.content) < 10_000


def test_an_answer_repeats_little_of_an_invalid_choice(api: Client, tenant: Tenant) -> None:
    body = {"tenant": tenant.pk, "name": "Nightly", "cron": "0 2 * * *", "kinds": ["x" * 500_000]}

    response = api.post("/api/v1/schedules", body, content_type="application/json")

    assert assert_problem(response, 400)["errors"][0]["name"] == "kinds"
    assert len(response.content) < 10_000


def test_a_precondition_is_checked_where_it_can_be(api: Client, tenant: Tenant) -> None:
    """A list has no time of its last change, so that If-Unmodified-Since is ignored."""
    time = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}

    current = api.get(RUNS, headers=time)
    kept = api.get(RUNS, headers=time | {"If-None-Match": current["ETag"]})
    other = api.get(RUNS, headers={"If-Match": '"other"'})

    assert (current.status_code, kept.status_code) == (200, 304)
    assert assert_problem(other, 412)["code"] == "precondition_failed"


def test_pages_keep_their_error_pages(client: Client, manager: User) -> None:
    client.force_login(manager)

    response = client.get("/apis/")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_an_unexpected_error_has_a_reference_and_no_details(api: Client) -> None:
    api.raise_request_exception = False
    with mock.patch.object(runs, "build_run_filter", side_effect=ValueError("hunter2")):
        response = api.get(RUNS)

    assert_problem(response, 500)
    assert b"hunter2" not in response.content
    assert int(response["RateLimit-Remaining"]) > 0


def test_an_unavailable_database_is_no_error_of_the_client(api: Client) -> None:
    api.raise_request_exception = False
    with mock.patch.object(runs, "build_run_filter", side_effect=OperationalError("down")):
        response = api.get(RUNS)

    assert_problem(response, 503)
    assert int(response["Retry-After"]) > 0
    assert int(response["RateLimit-Remaining"]) > 0


def test_a_revoked_token_is_refused(api: Any, manager: User) -> None:
    revoke(api.token, by=manager)

    response = api.get(RUNS)

    assert assert_problem(response, 401)["code"] == "token_revoked"
    assert response["WWW-Authenticate"] == 'Bearer realm="Runledger", error="invalid_token"'


def test_a_token_has_a_rate_limit(
    api: Client, manager: User, workspace: Workspace, settings: Settings
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    responses = [api.get(RUNS) for _ in range(3)]
    other = open_api(manager, workspace).get(RUNS)

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert [response["RateLimit-Remaining"] for response in responses] == ["1", "0", "0"]
    assert_problem(responses[2], 429)
    assert 0 < int(responses[2]["Retry-After"]) <= 60
    assert other.status_code == 200


def test_a_missing_permission_is_that_of_the_token(manager: User, workspace: Workspace) -> None:
    api = open_api(manager, workspace, Role.READER)
    schedule = {"tenant": 1, "name": "Nightly", "cron": "30 2 * * *"}

    response = send(api, "post", "/api/v1/schedules", schedule)

    detail = assert_problem(response, 403)["detail"]
    assert detail == "The role of the token does not include “manage schedules”."
