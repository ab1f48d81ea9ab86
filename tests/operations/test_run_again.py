"""“Run again”: a new run with the inputs of a run that has succeeded."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from operations.catalog import Retry
from operations.models import OperationRun
from operations.services import NotRetryable, OperationRunService
from operations.states import RunOutcome
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import (
    RETRY,
    RUN_NOW,
    SCHEDULED,
    build_slot_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def green(tenant: Tenant) -> OperationRun:
    return create_ended_run(tenant, total=2, processed=2, succeeded=2)


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def test_it_has_the_inputs_and_the_identity_of_the_run(
    green: OperationRun, operator: User, service: OperationRunService
) -> None:
    result = service.run_again(green, by=operator)

    assert result.created
    assert result.run.type == RUN_NOW
    assert result.run.retry_of == green
    assert result.run.run_identity_hash == green.run_identity_hash
    assert result.run.context == green.context
    assert result.run.user == operator


def test_it_does_not_take_over_why_there_was_the_run(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = service.ensure_run(build_slot_request(tenant)).run
    service.claim(run.pk, "worker-1")
    service.complete(run.pk)

    again = service.run_again(OperationRun.objects.get(pk=run.pk), by=operator).run

    assert (run.type, again.type) == (SCHEDULED, RUN_NOW)
    assert "scheduled_for" in run.context
    assert again.context == {"backup_schedule_id": 1, "idempotency": {"backup_schedule_id": 1}}


def test_a_succeeded_retry_is_repeated_as_a_whole(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    failed = create_ended_run(tenant, total=1, processed=1, failed=1)
    retry = service.retry(failed, by=operator).run
    service.claim(retry.pk, "worker-1")
    service.complete(retry.pk)

    again = service.run_again(OperationRun.objects.get(pk=retry.pk), by=operator).run

    assert (retry.type, again.type) == (RETRY, RUN_NOW)


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (create_queued_run, "still active"),
        (create_running_run, "still active"),
        (lambda tenant: create_ended_run(tenant, total=1, processed=1, failed=1), "Retry it"),
        (lambda tenant: OperationRunFactory(tenant=tenant, blocked=True), "Retry it"),
    ],
)
def test_only_a_succeeded_run_can_be_run_again(
    tenant: Tenant, operator: User, service: OperationRunService, create: Any, message: str
) -> None:
    run = create(tenant)
    count = OperationRun.objects.count()

    with pytest.raises(NotRetryable, match=message):
        service.run_again(run, by=operator)

    assert OperationRun.objects.count() == count


def test_a_type_that_is_never_retried_is_not_run_again(
    page: Client, green: OperationRun, operator: User, change_catalog: Any
) -> None:
    change_catalog(retry=Retry.NEVER)

    assert b"Run again" not in page.get(green.get_absolute_url()).content
    response = page.post(f"{green.get_absolute_url()}run-again/", follow=True)

    assert b"never retried" in response.content
    assert OperationRun.objects.count() == 1


def test_the_button_starts_one_run_and_both_are_linked(page: Client, green: OperationRun) -> None:
    content = page.get(green.get_absolute_url()).content.decode()
    form = {"submission": re.findall(r'name="submission" value="([^"]+)"', content)[0]}

    first = page.post(f"{green.get_absolute_url()}run-again/", form)
    second = page.post(f"{green.get_absolute_url()}run-again/", form)

    again = green.retries.get()
    assert first["Location"] == second["Location"] == again.get_absolute_url()
    assert "Run again as" in page.get(green.get_absolute_url()).content.decode()
    assert f"run #{green.pk}" in page.get(again.get_absolute_url()).content.decode()
    assert "Repeats" in page.get(again.get_absolute_url()).content.decode()


def test_it_leads_to_the_active_run_of_the_operation(
    page: Client, green: OperationRun, tenant: Tenant
) -> None:
    active = create_queued_run(tenant)

    response = page.post(f"{green.get_absolute_url()}run-again/")

    assert response["Location"] == active.get_absolute_url()
    assert not green.retries.exists()


def test_a_reader_has_no_button_and_no_permission(
    client: Client, reader: User, green: OperationRun
) -> None:
    open_session(client, reader)

    assert b"Run again" not in client.get(green.get_absolute_url()).content
    assert client.post(f"{green.get_absolute_url()}run-again/").status_code == 403
    assert OperationRun.objects.count() == 1


def test_a_role_that_may_not_start_the_operation_may_not_repeat_it(
    page: Client, tenant: Tenant
) -> None:
    run = OperationRunFactory(
        tenant=None,
        workspace=tenant.workspace,
        type=OperationRunType.OPERATIONS_PRUNE,
        succeeded=True,
    )

    assert page.post(f"{run.get_absolute_url()}run-again/").status_code == 403
    assert run.outcome == RunOutcome.SUCCEEDED
