"""Starting operations with a token, and idempotency keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from api.idempotency import KEEP_DAYS
from api.models import ApiSubmission
from api.starts import NOT_STARTED_HERE, STARTERS
from api.tasks import remove_old_keys
from operations.catalog import OperationCatalog
from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tenancy.roles import Role
from tests.support.api_routes import send
from tests.support.concurrency import racing_threads
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.inventory import PolicyFactory
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.tokens import open_api

RUNS = "/api/v1/runs"


def sync(tenant: Tenant) -> dict[str, Any]:
    return {"type": "inventory.sync", "tenant": tenant.pk}


@pytest.fixture
def connected(tenant: Tenant) -> Tenant:
    ProviderConnectionFactory(tenant=tenant)
    return tenant


def test_every_operation_can_be_started_or_has_a_reason() -> None:
    assert STARTERS.keys() | NOT_STARTED_HERE.keys() == OperationCatalog.all().keys()
    assert not STARTERS.keys() & NOT_STARTED_HERE.keys()


@pytest.mark.django_db
def test_every_operation_is_started_with_the_inputs_that_the_list_names(
    api: Client, connected: Tenant
) -> None:
    values = {
        "tenant": connected.pk,
        "schedule": BackupScheduleFactory(tenant=connected).pk,
        "policies": [PolicyFactory(tenant=connected).pk],
        "name": "Before the change",
    }
    for operation in api.get("/api/v1/operations").json()["items"]:
        body = {name: values[name] for name in operation["inputs"]}

        response = send(api, "post", RUNS, {"type": operation["type"], **body})

        assert response.status_code == 201, operation["type"]
        assert response.json()["type"] == operation["type"]
        assert operation["is_permitted"]


@pytest.mark.django_db
def test_a_second_start_leads_to_the_active_run(api: Client, connected: Tenant) -> None:
    first, second = (send(api, "post", RUNS, sync(connected)) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


@pytest.mark.django_db
def test_a_blocked_start_says_why(api: Client, connected: Tenant) -> None:
    Tenant.objects.filter(pk=connected.pk).update(status=TenantStatus.SUSPENDED)

    response = send(api, "post", RUNS, sync(connected))

    assert (response.status_code, response.json()["code"]) == (409, "tenant_suspended")
    assert "Fabrikam" in response.json()["detail"]


@pytest.mark.django_db
def test_policies_of_another_tenant_are_refused(api: Client, connected: Tenant) -> None:
    other = PolicyFactory(tenant=TenantFactory(workspace=connected.workspace))

    body = {"type": "policy.export", "tenant": connected.pk, "policies": [other.pk]}
    response = send(api, "post", RUNS, body)

    assert (response.status_code, response.json()["errors"][0]["name"]) == (400, "policies")


@pytest.mark.django_db
def test_a_token_for_some_operations_starts_no_others(
    manager: User, workspace: Workspace, connected: Tenant
) -> None:
    api = open_api(manager, workspace, operation_types=["directory_groups.sync"])
    new = {"tenant": connected.pk, "name": "Nightly", "cron": "0 2 * * *"}

    permitted = send(api, "post", RUNS, {**sync(connected), "type": "directory_groups.sync"})
    refused = send(api, "post", RUNS, sync(connected))
    scheduled = send(api, "post", "/api/v1/schedules", new)

    assert (permitted.status_code, refused.status_code, scheduled.status_code) == (201, 403, 403)
    listed = api.get("/api/v1/operations").json()["items"]
    assert [each["type"] for each in listed if each["is_permitted"]] == ["directory_groups.sync"]


@pytest.mark.django_db
def test_a_token_learns_nothing_of_operations_that_it_may_not_start(
    api: Client, manager: User, workspace: Workspace, connected: Tenant
) -> None:
    """Neither why the operation is blocked, nor the run that the key of another token started."""
    send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "nightly-1"})
    limited = open_api(manager, workspace, operation_types=["directory_groups.sync"])

    repeated = send(limited, "post", RUNS, sync(connected), **{"Idempotency-Key": "nightly-1"})
    Tenant.objects.filter(pk=connected.pk).update(status=TenantStatus.SUSPENDED)
    blocked = send(limited, "post", RUNS, sync(connected))

    assert (repeated.status_code, blocked.status_code) == (403, 403)


@pytest.mark.django_db
def test_a_key_leads_to_its_run_even_when_that_has_ended(api: Client, connected: Tenant) -> None:
    first = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "nightly-1"})
    run = OperationRun.objects.get(pk=first.json()["id"])
    OperationRunService().claim(run.pk, "worker")
    OperationRunService().complete(run.pk)

    again = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "nightly-1"})
    other = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "nightly-2"})

    assert (again.status_code, again.json()["id"]) == (200, run.pk)
    assert again.json()["outcome"] == "succeeded"
    assert (other.status_code, other.json()["id"] != run.pk) == (201, True)


@pytest.mark.django_db
def test_a_key_of_a_deduplicated_request_leads_to_that_run(api: Client, connected: Tenant) -> None:
    active = send(api, "post", RUNS, sync(connected)).json()["id"]
    send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "late"})
    OperationRunService().claim(active, "worker")
    OperationRunService().complete(active)

    again = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "late"})

    assert (again.status_code, again.json()["id"]) == (200, active)


@pytest.mark.django_db
def test_a_key_with_another_body_is_refused_and_starts_nothing(
    api: Client, connected: Tenant
) -> None:
    send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "one"})

    body = {**sync(connected), "type": "directory_groups.sync"}
    response = send(api, "post", RUNS, body, **{"Idempotency-Key": "one"})

    assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_reused")
    assert OperationRun.objects.count() == 1


@pytest.mark.django_db
def test_keys_of_different_users_are_different(
    api: Client, operator: User, workspace: Workspace, connected: Tenant
) -> None:
    other = open_api(operator, workspace, Role.OPERATOR)
    send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "one"})

    body = {**sync(connected), "type": "directory_groups.sync"}

    assert send(other, "post", RUNS, body, **{"Idempotency-Key": "one"}).status_code == 201


@pytest.mark.django_db
def test_a_refused_start_does_not_use_up_its_key(api: Client, connected: Tenant) -> None:
    Tenant.objects.filter(pk=connected.pk).update(status=TenantStatus.SUSPENDED)
    refused = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "one"})
    Tenant.objects.filter(pk=connected.pk).update(status=TenantStatus.ACTIVE)

    accepted = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": "one"})

    assert (refused.status_code, accepted.status_code) == (409, 201)


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a" * 201, "with space", "\u00e9"])
def test_an_invalid_key_is_refused(api: Client, connected: Tenant, key: str) -> None:
    response = send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": key})

    assert response.status_code == 400
    assert not OperationRun.objects.exists()


@pytest.mark.django_db
def test_old_keys_are_forgotten(api: Client, connected: Tenant) -> None:
    for key in ("old", "new"):
        send(api, "post", RUNS, sync(connected), **{"Idempotency-Key": key})
    old = ApiSubmission.objects.order_by("created_at").first()
    assert old
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE api_submissions SET created_at = now() - make_interval(days => %s, hours => 1)"
            " WHERE submission_id = %s",
            [KEEP_DAYS, old.pk],
        )

    remove_old_keys()

    assert list(ApiSubmission.objects.filter(pk=old.pk)) == []
    assert ApiSubmission.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_requests_with_one_key_only_one_starts_a_run(api: Client, connected: Tenant) -> None:
    """Also if they ask for different operations: the later one is rolled back."""
    types = ["inventory.sync", "directory_groups.sync"] * 2
    bodies = [{**sync(connected), "type": run_type} for run_type in types]
    authorization = api.defaults["HTTP_AUTHORIZATION"]

    def start(body: dict[str, Any]) -> int:
        client = Client(headers={"Authorization": authorization, "Idempotency-Key": "one"})
        return send(client, "post", RUNS, body).status_code

    with racing_threads(len(bodies)) as threads:
        statuses = threads.race([lambda body=body: start(body) for body in bodies])

    assert sorted(statuses) == [200, 201, 409, 409]
    assert OperationRun.objects.count() == 1
    assert re.fullmatch(r"[0-9a-f]{64}", ApiSubmission.objects.get().fingerprint)
