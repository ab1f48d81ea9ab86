"""Acknowledging a run removes it from “Needs attention”."""

from __future__ import annotations

import pytest

from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import event_kinds


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
