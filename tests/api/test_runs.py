"""Reading and changing runs with a token."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from operations.filters import RunFilter
from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant, User, Workspace
from tests.support.api_routes import document, documented_operations, send
from tests.support.factories import (
    OperationRunEventFactory,
    OperationRunFactory,
    OperationRunItemFactory,
)
from tests.support.factories.operations import create_past_run, create_queued_run, prune

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/runs"


def ids_of_all_pages(api: Client, address: str) -> list[int]:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"{address}&cursor={cursor}").json()
        seen += [run["id"] for run in page["items"]]
        cursor = page["next"]
    return seen


@pytest.mark.parametrize("sort", ["-requested", "requested", "-ended", "-duration"])
def test_runs_are_listed_page_by_page_in_every_order(
    api: Client, tenant: Tenant, sort: str
) -> None:
    runs = [OperationRunFactory(tenant=tenant, failed=True).pk for _ in range(5)]

    seen = ids_of_all_pages(api, f"{RUNS}?limit=2&sort={sort}")

    assert len(seen) == 5
    assert set(seen) == set(runs)
    if sort == "-requested":
        assert seen == runs[::-1]


def test_the_list_has_every_filter_of_the_page() -> None:
    method, path = documented_operations()["run_list"]
    parameters = document()["paths"][path][method]["parameters"]
    names = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}

    assert names == {*RunFilter.base_filters, "sort", "cursor", "limit"}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("outcome=failed", 1),
        ("outcome=succeeded", 1),
        ("view=attention", 1),
        ("tenant=Fabrikam", 2),
        ("tenant=fabri&status=completed&outcome=failed", 1),
        ("q=nothing", 0),
    ],
)
def test_filters_select_as_on_the_page(api: Client, tenant: Tenant, query: str, count: int) -> None:
    OperationRunFactory(tenant=tenant, failed=True)
    OperationRunFactory(tenant=tenant, succeeded=True)

    assert len(api.get(f"{RUNS}?{query}").json()["items"]) == count


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("outcome=broken", "outcome"),
        ("tenant=Nowhere", "tenant"),
        ("since=2026-02-30", "since"),
        ("since_hour=7", "since_hour"),
        ("cursor=abc", "cursor"),
        ("cursor=!", "cursor"),
        ("limit=101", "limit"),
        ("outcomme=failed", "outcomme"),
    ],
)
def test_an_invalid_parameter_is_named(api: Client, tenant: Tenant, query: str, name: str) -> None:
    response = api.get(f"{RUNS}?{query}")

    assert response.status_code == 400
    assert [error["name"] for error in response.json()["errors"]] == [name]


def test_a_run_has_what_its_page_shows_and_no_secret(api: Client, tenant: Tenant) -> None:
    context = {"target_scope": {"tenant_name": "Fabrikam", "client_secret": "hunter2-hunter2"}}
    run = OperationRunFactory(tenant=tenant, failed=True, context=context)

    response = api.get(f"{RUNS}/{run.pk}")

    body = response.json()
    assert response.status_code == 200
    assert body["tenant"] == {"id": tenant.pk, "name": "Fabrikam"}
    assert (body["status"], body["outcome"]) == ("completed", "failed")
    assert body["inputs"]["target_scope"]["tenant_name"] == "Fabrikam"
    assert b"hunter2" not in response.content


def test_a_run_that_retention_has_removed_is_gone(
    api: Client, tenant: Tenant, settings: Settings
) -> None:
    settings.RUN_KEEP_LAST = 1
    run = create_past_run(tenant, 900)
    create_past_run(tenant, 1)
    prune(tenant.workspace)

    response = api.get(f"{RUNS}/{run.pk}")

    assert (response.status_code, response.json()["code"]) == (410, "run_removed")


def test_an_entity_tag_saves_what_has_not_changed(api: Client, tenant: Tenant) -> None:
    run = create_queued_run(tenant)
    first = api.get(f"{RUNS}/{run.pk}")
    again = api.get(f"{RUNS}/{run.pk}", headers={"If-None-Match": first["ETag"]})
    OperationRunService().claim(run.pk, "worker")
    changed = api.get(f"{RUNS}/{run.pk}", headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert int(again["RateLimit-Remaining"]) < int(first["RateLimit-Remaining"])
    assert (changed.status_code, changed.json()["status"]) == (200, "running")


def test_a_log_can_be_followed(api: Client, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, running=True)
    for sequence in range(1, 6):
        OperationRunEventFactory(run=run, sequence=sequence, message=f"Line {sequence}")

    page = api.get(f"{RUNS}/{run.pk}/events?after=1&limit=2").json()
    last = api.get(f"{RUNS}/{run.pk}/events?after=3&limit=2").json()

    assert [event["message"] for event in page["items"]] == ["Line 2", "Line 3"]
    assert (page["next"], last["next"]) == (3, None)
    assert api.get(f"{RUNS}/{run.pk}/events?after={2**63 - 1}").json()["items"] == []


def test_items_are_listed_by_outcome(api: Client, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, running=True)
    for key, outcome in (("a", "failed"), ("b", "succeeded"), ("c", "failed")):
        OperationRunItemFactory(run=run, key=key, outcome=outcome)

    first = api.get(f"{RUNS}/{run.pk}/items?outcome=failed&limit=1").json()
    second = api.get(f"{RUNS}/{run.pk}/items?outcome=failed&cursor={first['next']}").json()

    assert [item["key"] for item in first["items"] + second["items"]] == ["a", "c"]


def test_a_queued_run_is_cancelled_with_a_reason(api: Client, tenant: Tenant) -> None:
    run = create_queued_run(tenant)

    cancelled = send(api, "post", f"{RUNS}/{run.pk}/cancel", {"reason": "Maintenance"})
    again = send(api, "post", f"{RUNS}/{run.pk}/cancel")

    assert cancelled.json()["outcome"] == "cancelled"
    assert "Maintenance" in run.events.get(kind="cancelled").message
    assert (again.status_code, again.json()["code"]) == (409, "run_ended")


def test_a_run_is_acknowledged_and_assigned(
    api: Client, tenant: Tenant, operator: User, stranger: User
) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)
    address = f"{RUNS}/{run.pk}/acknowledge"

    refused = send(api, "post", address, {"assignee": stranger.username})
    accepted = send(api, "post", address, {"assignee": operator.username, "note": "Ticket 7"})
    again = send(api, "post", address)

    run.refresh_from_db()
    assert (refused.status_code, refused.json()["errors"][0]["name"]) == (400, "assignee")
    assert (accepted.status_code, accepted.json()["needs_attention"]) == (200, False)
    assert (run.assigned_to, run.acknowledgment_note) == (operator, "Ticket 7")
    assert again.status_code == 409


def test_a_run_is_retried_once_for_one_key(api: Client, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True, type="inventory.sync")
    headers = {"Idempotency-Key": "retry-1"}

    first, second = (send(api, "post", f"{RUNS}/{run.pk}/retry", **headers) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["retry_of"] == run.pk
    assert second.json()["id"] == first.json()["id"]


def test_a_succeeded_run_is_not_retried_but_run_again(api: Client, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True, type="inventory.sync")

    retried = send(api, "post", f"{RUNS}/{run.pk}/retry")
    repeated = send(api, "post", f"{RUNS}/{run.pk}/run-again")

    assert (retried.status_code, retried.json()["code"]) == (409, "not_retryable")
    assert repeated.status_code == 201


def test_statements_of_a_list_do_not_grow_with_its_rows(
    api: Client, tenant: Tenant, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        OperationRunFactory(tenant=tenant, failed=True)
    OperationRunFactory(tenant=tenant, running=True)

    with django_assert_max_num_queries(12):
        assert len(api.get(RUNS).json()["items"]) == 21


def test_another_workspace_of_the_user_is_not_listed(
    api: Client, manager: User, stranger: User
) -> None:
    elsewhere = Workspace.objects.get(slug="elsewhere")
    elsewhere.memberships.create(user=manager, role="owner")
    run = OperationRunFactory(tenant__workspace=elsewhere, failed=True)

    assert api.get(RUNS).json()["items"] == []
    assert api.get(f"{RUNS}/{run.pk}").status_code == 404
    assert OperationRun.objects.filter(pk=run.pk).visible_to(manager).exists()
