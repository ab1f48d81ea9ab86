"""Acknowledging a run removes it from “Needs attention”."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory, UserFactory
from tests.support.factories.operations import event_kinds
from tests.support.sessions import open_session


@pytest.mark.parametrize("outcome", ["failed", "partial", "blocked"])
def test_an_acknowledged_run_no_longer_needs_attention(
    tenant: Tenant, operator: User, service: OperationRunService, outcome: str
) -> None:
    run = OperationRunFactory(tenant=tenant, **{outcome: True})
    assert OperationRun.objects.needs_attention().get() == run

    acknowledged = service.acknowledge(run, by=operator)

    assert acknowledged.acknowledged_by == operator
    assert not acknowledged.needs_attention
    assert not OperationRun.objects.needs_attention().exists()
    assert event_kinds(run) == ["acknowledged"]


def test_acknowledging_twice_changes_nothing(
    tenant: Tenant, operator: User, manager: User, service: OperationRunService
) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)
    first = service.acknowledge(run, by=operator)

    second = service.acknowledge(run, by=manager)

    assert second.acknowledged_by == operator
    assert second.acknowledged_at == first.acknowledged_at
    assert event_kinds(run) == ["acknowledged"]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "cancelled"])
def test_a_run_that_needs_no_attention_cannot_be_acknowledged(
    tenant: Tenant, operator: User, service: OperationRunService, state: str
) -> None:
    run = OperationRunFactory(tenant=tenant, **({} if state == "queued" else {state: True}))

    assert service.acknowledge(run, by=operator).acknowledged_at is None
    assert event_kinds(run) == []


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "cancelled"])
def test_a_run_without_failures_needs_no_attention(tenant: Tenant, state: str) -> None:
    run = OperationRunFactory(tenant=tenant, **({} if state == "queued" else {state: True}))

    assert not run.needs_attention
    assert not OperationRun.objects.needs_attention().exists()


# --- note and assignee ----------------------------------------------------------------------------


def test_an_acknowledgment_has_a_note_and_an_assignee(
    tenant: Tenant, operator: User, manager: User, service: OperationRunService
) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)

    acknowledged = service.acknowledge(run, by=operator, note="Ticket 4711", assignee=manager)

    assert acknowledged.acknowledgment_note == "Ticket 4711"
    assert acknowledged.assigned_to == manager
    assert run.events.get().message == ("Acknowledged by olga and assigned to marc: Ticket 4711")


def test_a_secret_in_a_note_is_not_stored(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    canary = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"
    run = OperationRunFactory(tenant=tenant, failed=True)

    acknowledged = service.acknowledge(run, by=operator, note=f"client_secret={canary}")

    assert canary not in acknowledged.acknowledgment_note
    assert canary not in run.events.get().message


def test_many_runs_are_acknowledged_in_a_few_statements(
    tenant: Tenant,
    operator: User,
    service: OperationRunService,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    runs = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(40)]

    with django_assert_max_num_queries(4):
        acknowledged = service.acknowledge_many(runs, by=operator, note="Outage")

    assert acknowledged == {run.pk for run in runs}
    assert service.acknowledge_many(runs, by=operator) == set()


def test_the_page_of_a_run_acknowledges_with_a_note_and_an_assignee(
    client: Client, tenant: Tenant, operator: User, manager: User
) -> None:
    open_session(client, operator)
    run = OperationRunFactory(tenant=tenant, failed=True)
    form = client.get(f"/runs/{run.pk}/").content.decode()
    assert f'<option value="{manager.pk}">marc</option>' in form

    client.post(f"/runs/{run.pk}/acknowledge/", {"note": "<b>Ticket</b>", "assignee": manager.pk})

    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "Acknowledged by olga" in page
    assert "assigned to marc" in page
    assert "&lt;b&gt;Ticket&lt;/b&gt;" in page


@pytest.mark.parametrize(
    "form",
    [
        {"assignee": "stranger"},
        {"assignee": "0"},
        {"assignee": "9" * 30},
        {"assignee": "x"},
        {"assignee": "\x00"},
        {"note": "x" * 501},
        {"note": "\x00"},
    ],
)
def test_an_invalid_note_or_assignee_changes_nothing(
    client: Client, tenant: Tenant, operator: User, stranger: User, form: dict[str, str]
) -> None:
    open_session(client, operator)
    run = OperationRunFactory(tenant=tenant, failed=True)
    if form.get("assignee") == "stranger":
        form = {"assignee": str(stranger.pk)}

    response = client.post(f"/runs/{run.pk}/acknowledge/", form)

    assert response.status_code == 400
    run.refresh_from_db()
    assert run.acknowledged_at is None
    assert run.assigned_to is None


def test_deleting_the_assignee_keeps_the_acknowledgment(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)
    helper = UserFactory()
    helper.memberships.create(workspace=tenant.workspace, role="reader")
    service.acknowledge(run, by=operator, note="Later", assignee=helper)

    helper.delete()

    run.refresh_from_db()
    assert run.assigned_to is None
    assert run.acknowledgment_note == "Later"
