"""A request creates a run, joins an active one or is refused, whatever the broker does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from celery import current_app
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from config.settings import base
from operations.catalog import CatalogEntry, OperationCatalog
from operations.context import ContextError
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from tenancy.models import Tenant, User, Workspace
from tests.support.broker import Broker
from tests.support.factories import TenantFactory
from tests.support.factories.operations import (
    RUN_NOW,
    build_request,
    build_slot_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
    dispatch,
    event_kinds,
)

OnCommit = Callable[..., AbstractContextManager[list[Any]]]


# --- created or deduplicated ----------------------------------------------------------------------


def test_a_first_request_creates_a_queued_run(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    result = service.ensure_run(build_request(tenant, 7, by=operator))

    assert result.created
    assert result.run.status == RunStatus.QUEUED
    assert result.run.outcome == RunOutcome.PENDING
    assert result.run.user == operator
    assert result.run.initiator_name == "olga"
    assert result.run.context == {
        "backup_schedule_id": 7,
        "idempotency": {"backup_schedule_id": 7},
    }
    assert result.run.next_publish_at is not None
    assert event_kinds(result.run) == ["created"]


def test_a_second_request_joins_the_active_run(tenant: Tenant, operator: User) -> None:
    first = dispatch(tenant, by=operator)

    second = dispatch(tenant, by=operator)

    assert second.run == first.run
    assert not second.created
    event = first.run.events.get(kind="joined")
    assert event.actor == "olga"
    assert event_kinds(first.run) == ["created", "joined"]


def test_a_request_joins_a_running_run(tenant: Tenant) -> None:
    running = create_running_run(tenant)

    assert dispatch(tenant).run == running


def test_a_deduplicated_request_does_not_update_the_row(tenant: Tenant) -> None:
    first = create_queued_run(tenant)

    dispatch(tenant)

    assert OperationRun.objects.get(pk=first.pk).updated_at == first.updated_at


def test_an_operation_can_run_again_after_its_run_has_ended(tenant: Tenant) -> None:
    ended = create_ended_run(tenant)

    repeated = dispatch(tenant)

    assert repeated.created
    assert repeated.run != ended
    assert repeated.run.run_identity_hash == ended.run_identity_hash


def test_a_form_that_is_posted_twice_leads_to_its_run_even_after_the_end(
    tenant: Tenant, service: OperationRunService
) -> None:
    form = uuid.uuid4()
    first = dispatch(tenant, submission=form)
    service.claim(first.run.pk, "worker-1")
    ended = service.complete(first.run.pk)
    other_request = dispatch(tenant)

    repeated = dispatch(tenant, submission=form)

    assert (repeated.run, repeated.created) == (ended, False)
    assert other_request.created


def test_a_form_that_is_rendered_again_starts_a_new_run(tenant: Tenant) -> None:
    ended = create_ended_run(tenant, submission=uuid.uuid4())

    repeated = dispatch(tenant, submission=uuid.uuid4())

    assert repeated.created
    assert repeated.run != ended


def test_one_submission_can_start_operations_with_different_inputs(tenant: Tenant) -> None:
    form = uuid.uuid4()

    runs = {dispatch(tenant, schedule, submission=form).run for schedule in (1, 2)}

    assert len(runs) == 2


def test_types_of_one_identity_group_exclude_each_other(tenant: Tenant) -> None:
    manual = create_queued_run(tenant)

    scheduled = OperationRunService().ensure_run(build_slot_request(tenant))

    assert scheduled.run == manual
    assert not scheduled.created


def test_another_tenant_has_a_separate_run(tenant: Tenant, workspace: Workspace) -> None:
    other = TenantFactory(workspace=workspace)

    assert dispatch(tenant).run != dispatch(other).run


def test_another_workspace_has_a_separate_run(tenant: Tenant) -> None:
    other = TenantFactory(external_id=tenant.external_id)

    assert dispatch(tenant).run != dispatch(other).run


def test_other_inputs_create_another_run(tenant: Tenant) -> None:
    assert dispatch(tenant, 1).run != dispatch(tenant, 2).run


def test_the_context_is_not_part_of_the_identity(tenant: Tenant) -> None:
    first = dispatch(tenant, context={"policy_id": 1})

    assert dispatch(tenant, context={"policy_id": 2}).run == first.run


def test_a_workspace_operation_is_deduplicated_within_its_workspace_only(
    workspace: Workspace, workspace_scoped: OperationRunType, service: OperationRunService
) -> None:
    other_workspace = TenantFactory().workspace

    first = service.dispatch_or_fail(workspace_scoped, workspace=workspace)
    second = service.dispatch_or_fail(workspace_scoped, workspace=workspace)
    other = service.dispatch_or_fail(workspace_scoped, workspace=other_workspace)

    assert first.run.tenant is None
    assert second.run == first.run
    assert other.run != first.run


def test_a_request_without_a_user_is_initiated_by_the_system(tenant: Tenant) -> None:
    assert dispatch(tenant).run.initiator_name == "System"


def test_the_initiator_name_outlives_its_user(tenant: Tenant, operator: User) -> None:
    run = dispatch(tenant, by=operator).run

    operator.delete()

    run.refresh_from_db()
    assert run.user is None
    assert run.initiator_name == "olga"


# --- refused --------------------------------------------------------------------------------------


def test_a_tenant_of_another_workspace_is_refused_by_the_database(
    tenant: Tenant, workspace: Workspace
) -> None:
    foreign = TenantFactory()

    with pytest.raises(IntegrityError, match="tenant_of_workspace"), transaction.atomic():
        dispatch(foreign, workspace=workspace)

    assert not OperationRun.objects.exists()


def test_a_tenant_operation_without_a_tenant_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="needs a tenant as its scope"):
        OperationRunService().dispatch_or_fail(RUN_NOW, workspace=workspace)


def test_a_workspace_operation_with_a_tenant_is_refused(
    tenant: Tenant, workspace_scoped: OperationRunType
) -> None:
    with pytest.raises(ValueError, match="needs a workspace as its scope"):
        dispatch(tenant)


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({"backup_schedule_id": "7"}, id="a known key of the wrong type"),
        pytest.param({"backup_set_id": True}, id="a boolean for a number"),
        pytest.param({"note": ["x" * 900] * 80}, id="too large"),
    ],
)
def test_an_invalid_context_is_refused(tenant: Tenant, context: dict[str, Any]) -> None:
    with pytest.raises(ContextError):
        dispatch(tenant, context=context)

    assert not OperationRun.objects.exists()


# --- transactions ---------------------------------------------------------------------------------


def test_a_rolled_back_request_leaves_no_run_and_no_message(
    tenant: Tenant, broker: Broker, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        dispatch(tenant)
        transaction.set_rollback(True)

    assert not OperationRun.objects.exists()
    assert broker.waiting() == 0


def test_nothing_is_sent_before_the_transaction_commits(
    tenant: Tenant, broker: Broker, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant)
        sent_before = broker.waiting()

    assert (sent_before, broker.waiting()) == (0, 1)
    assert result.published


def test_a_duplicate_inside_a_transaction_leaves_the_transaction_usable(tenant: Tenant) -> None:
    with transaction.atomic():
        first = dispatch(tenant)
        second = dispatch(tenant)
        run_count = OperationRun.objects.count()

    assert second.run == first.run
    assert run_count == 1


# --- batches --------------------------------------------------------------------------------------


def test_the_results_of_a_batch_have_the_order_of_its_requests(tenant: Tenant) -> None:
    existing = create_queued_run(tenant, 2)

    results = OperationRunService().dispatch_many([build_request(tenant, at) for at in (3, 2, 1)])

    assert [result.run.context["backup_schedule_id"] for result in results] == [3, 2, 1]
    assert [result.created for result in results] == [True, False, True]
    assert results[1].run == existing


def test_equal_requests_of_one_batch_share_one_run(tenant: Tenant) -> None:
    results = OperationRunService().dispatch_many([build_request(tenant)] * 3)

    assert [result.created for result in results] == [True, False, False]
    assert len({result.run.pk for result in results}) == 1
    assert event_kinds(results[0].run) == ["created", "joined", "joined"]


def test_an_empty_batch_has_no_results(db: None) -> None:
    assert OperationRunService().dispatch_many([]) == []


@pytest.mark.parametrize("size", [2, 2_000])
def test_a_batch_of_any_size_needs_the_same_number_of_statements(tenant: Tenant, size: int) -> None:
    requests = [build_request(tenant, at) for at in range(size)]

    with CaptureQueriesContext(connection) as queries:
        created = OperationRunService().dispatch_many(requests)
    with CaptureQueriesContext(connection) as queries_for_duplicates:
        duplicates = OperationRunService().dispatch_many(requests)

    assert all(result.created for result in created)
    assert [result.run for result in duplicates] == [result.run for result in created]
    # Savepoint, the runs with their events, release.
    assert len(queries) == 3
    assert len(queries_for_duplicates) == 3


def test_a_new_run_needs_one_statement(
    tenant: Tenant, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        result = OperationRunService().ensure_run(build_request(tenant, 1))

    assert event_kinds(result.run) == ["created"]


def test_joining_a_run_needs_one_statement(
    tenant: Tenant, django_assert_num_queries: Callable[..., Any]
) -> None:
    OperationRunService().ensure_run(build_request(tenant, 1))

    with django_assert_num_queries(1):
        result = OperationRunService().ensure_run(build_request(tenant, 1))

    assert event_kinds(result.run) == ["created", "joined"]


def test_every_request_of_a_batch_is_on_the_timeline_of_the_run_that_it_joins(
    tenant: Tenant,
) -> None:
    run = OperationRunService().ensure_run(build_request(tenant, 1)).run

    OperationRunService().ensure_runs([build_request(tenant, 1)] * 3)

    assert event_kinds(run) == ["created", "joined", "joined", "joined"]


# --- slots ----------------------------------------------------------------------------------------


def test_a_slot_starts_only_once(tenant: Tenant, service: OperationRunService) -> None:
    first = service.ensure_run(build_slot_request(tenant))
    service.claim(first.run.pk, "worker-1")
    ended = service.complete(first.run.pk)

    repeated = service.ensure_run(build_slot_request(tenant))

    assert repeated.run == ended
    assert not repeated.created


def test_the_next_slot_starts_after_the_first_has_ended(
    tenant: Tenant, service: OperationRunService
) -> None:
    first = service.ensure_run(build_slot_request(tenant))
    service.claim(first.run.pk, "worker-1")
    service.complete(first.run.pk)

    assert service.ensure_run(build_slot_request(tenant, slot="2026-03-09T07:00Z")).created


# --- the broker -----------------------------------------------------------------------------------


def test_a_dispatched_run_waits_in_the_queue_of_its_type_only(
    tenant: Tenant, broker: Broker, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant)

    result.run.refresh_from_db()
    queues = {queue: broker.waiting(queue) for queue in ("default", "sync", "backup", "restore")}
    assert queues == {"default": 0, "sync": 0, "backup": 1, "restore": 0}
    assert result.run.published_at is not None
    assert result.run.publish_attempts == 1


def test_a_deduplicated_request_sends_no_message(
    tenant: Tenant, broker: Broker, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        dispatch(tenant)
        duplicate = dispatch(tenant)

    assert broker.waiting() == 1
    assert duplicate.published is None


def test_a_large_batch_is_published_completely(
    tenant: Tenant,
    broker: Broker,
    django_capture_on_commit_callbacks: OnCommit,
    settings: Settings,
) -> None:
    settings.PUBLISH_WAIT_SECONDS = 60
    with django_capture_on_commit_callbacks(execute=True):
        results = OperationRunService().dispatch_many(
            [build_request(tenant, at) for at in range(2_000)]
        )

    assert broker.waiting() == 2_000
    assert all(result.published for result in results)
    assert set(event_kinds(results[-1].run)) == {"created"}


def assert_waits_for_relay(run: OperationRun) -> None:
    run.refresh_from_db()
    assert run.status == RunStatus.QUEUED
    assert run.next_publish_at is not None
    assert run.published_at is None
    assert event_kinds(run) == ["created", "publish_refused"]


def test_a_broker_that_is_down_loses_no_run_and_raises_no_error(
    tenant: Tenant, no_broker: None, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant)

    assert result.published is False
    assert_waits_for_relay(result.run)


def test_a_broker_that_stops_after_the_first_message_loses_no_run(
    tenant: Tenant, broker: Broker, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        dispatch(tenant, 1)
    broker.stop()

    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant, 2)

    assert result.published is False
    assert_waits_for_relay(result.run)


@pytest.mark.parametrize("warm", [False, True], ids=["first message", "open connection"])
def test_a_full_broker_loses_no_run(
    tenant: Tenant, broker: Broker, warm: bool, django_capture_on_commit_callbacks: OnCommit
) -> None:
    if warm:
        with django_capture_on_commit_callbacks(execute=True):
            dispatch(tenant, 1)
    broker.fill()

    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant, 2)

    assert result.published is False
    assert_waits_for_relay(result.run)


@pytest.mark.parametrize("warm", [False, True], ids=["first message", "open connection"])
def test_a_frozen_broker_does_not_delay_the_request(
    tenant: Tenant,
    broker: Broker,
    *,
    warm: bool,
    django_capture_on_commit_callbacks: OnCommit,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without its own limit, the request would wait for the limit of the connection.
    monkeypatch.setitem(current_app.conf.broker_transport_options, "socket_timeout", 60)
    if warm:
        with django_capture_on_commit_callbacks(execute=True):
            dispatch(tenant, 1)
    broker.freeze()
    settings.PUBLISH_WAIT_SECONDS = base.PUBLISH_WAIT_SECONDS
    started = time.monotonic()

    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant, 2)

    assert time.monotonic() - started < 40
    assert result.published is False
    assert_waits_for_relay(result.run)


def test_a_broker_that_is_started_again_is_used_again(
    tenant: Tenant, broker: Broker, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        dispatch(tenant, 1)
    broker.stop()
    with django_capture_on_commit_callbacks(execute=True):
        dispatch(tenant, 2)
    broker.start()

    with django_capture_on_commit_callbacks(execute=True):
        after = dispatch(tenant, 3)

    assert after.published


def test_an_unexpected_error_while_publishing_ends_the_run_as_failed(
    tenant: Tenant,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: OnCommit,
) -> None:
    """A programming error is not resolved by sending the message again."""

    def broken(run_type: str) -> CatalogEntry:
        raise KeyError(f"canary {run_type}")

    with django_capture_on_commit_callbacks(execute=True):
        result = dispatch(tenant)
        monkeypatch.setattr(OperationCatalog, "get", broken)

    result.run.refresh_from_db()
    assert result.run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in result.run.failures] == ["dispatch_failed"]
    assert "canary" not in str(result.run.failure_summary)
    assert event_kinds(result.run) == ["created", "ended"]
    assert broker.waiting() == 0
