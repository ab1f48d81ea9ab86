"""A backup from its slot to its end, with every part real."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import call_command
from django.utils import timezone

from backups import services
from backups.models import BackupSchedule, BackupSet, PolicyVersion
from dev.services.processes import kill_group
from operations.models import OperationRun, OperationRunEvent
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.customer import KINDS, SIZES, Customer, MakeStack
from tests.support.stack import Stack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

POLICIES = sum(SIZES[kind] for kind in KINDS)


def ended(run_id: int, seconds: float = 40) -> OperationRun:
    """The run once it has ended."""

    def look() -> OperationRun | None:
        return OperationRun.objects.filter(pk=run_id, status=RunStatus.COMPLETED).first()

    run: OperationRun = eventually(look, seconds=seconds, what=f"the end of run {run_id}")
    return run


def codes(run: OperationRun) -> set[str]:
    return {entry["code"] for entry in run.failure_summary}


@pytest.mark.executes(OperationRunType.BACKUP_SCHEDULE_SCHEDULED)
def test_a_schedule_fires_by_itself_and_ends_succeeded(customer: Customer, stack: Stack) -> None:
    stack.worker()
    stack.beat()

    due = timezone.now().replace(second=0, microsecond=0)
    BackupSchedule.objects.filter(pk=customer.schedule.pk).update(
        cron="0 0 1 1 *", next_run_at=due, spread_seconds=0
    )

    fired = eventually(OperationRun.objects.first, what="the firing of the slot")
    run = ended(fired.pk)
    assert run.outcome == RunOutcome.SUCCEEDED, (run.failure_summary, stack.logs())
    assert run.type == "backup_schedule.scheduled"
    assert run.context["scheduled_for"] == due.strftime("%Y-%m-%dT%H:%MZ")
    assert run.counts.total == run.counts.succeeded == POLICIES
    backup_set = BackupSet.objects.get(operation_run=run)
    assert backup_set.is_complete
    assert backup_set.items.count() == POLICIES


def test_a_throttled_and_partly_forbidden_tenant_ends_partially_succeeded(
    customer: Customer, stack: Stack, operator: User
) -> None:
    customer.fault("throttle", every=4, times=6, retry_after=1)
    customer.fault("forbid", kind="conditional_access", permission="Policy.Read.All")
    stack.worker()

    run = ended(services.run_now(customer.schedule, operator).run.pk)

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED, stack.logs()
    assert codes(run) == {"permission_missing"}
    assert "Policy.Read.All" in run.failure_summary[0]["next_step"]
    assert run.counts.succeeded == POLICIES - SIZES["conditional_access"]
    assert run.counts.failed == 1
    assert not BackupSet.objects.get(operation_run=run).is_complete
    throttled = [
        entry for entry in customer.graph.control.log(customer.id) if entry["status"] == 429
    ]
    assert throttled


@pytest.mark.executes(OperationRunType.BACKUP_SCHEDULE_RETRY)
def test_a_retry_repeats_only_what_failed(customer: Customer, stack: Stack, operator: User) -> None:
    customer.fault("forbid", kind="conditional_access", permission="Policy.Read.All")
    stack.worker()
    first = ended(services.run_now(customer.schedule, operator).run.pk)
    customer.graph.control.clear(customer.id)
    customer.graph.control.clear_log()

    retry = ended(OperationRunService().retry(first, by=operator).run.pk)

    assert retry.outcome == RunOutcome.SUCCEEDED, (retry.failure_summary, stack.logs())
    assert retry.retry_of == first
    assert retry.counts.succeeded == SIZES["conditional_access"]
    asked = {kind for _, kind in customer.graph.control.counts(customer.id)}
    assert "settings_catalog" not in asked
    assert BackupSet.objects.get(operation_run=retry).is_complete


def test_a_revoked_credential_ends_blocked_with_the_next_step(
    customer: Customer, stack: Stack, operator: User
) -> None:
    customer.fault("revoke_credential")
    stack.worker()

    run = ended(services.run_now(customer.schedule, operator).run.pk)

    assert run.outcome == RunOutcome.BLOCKED, (run.failure_summary, stack.logs())
    assert codes(run) == {"credential_rejected"}
    assert "secret" in run.failure_summary[0]["next_step"]


def test_a_broker_that_is_down_at_dispatch_loses_nothing(
    customer: Customer, stack: Stack, broker: Broker, operator: User
) -> None:
    stack.worker()
    stack.beat()
    broker.stop()

    result = services.run_now(customer.schedule, operator)
    assert result.created
    assert result.published is False
    assert result.run.events.filter(kind="publish_refused").exists()

    broker.start()
    run = ended(result.run.pk, seconds=60)
    assert run.outcome == RunOutcome.SUCCEEDED, (run.failure_summary, stack.logs())
    assert OperationRun.objects.count() == 1


def test_a_running_backup_is_cancelled_between_two_items(
    customer: Customer, stack: Stack, operator: User
) -> None:
    customer.fault("slow", ms=400)
    stack.worker()
    started = services.run_now(customer.schedule, operator).run

    eventually(
        lambda: OperationRun.objects.get(pk=started.pk).counts.processed, what="the first item"
    )
    OperationRunService().request_cancel(started, by=operator)

    run = ended(started.pk)
    assert run.outcome == RunOutcome.CANCELLED
    assert 0 < run.counts.processed < POLICIES
    assert not BackupSet.objects.get(operation_run=run).is_complete


def test_equal_contents_are_stored_once_over_two_backups(
    customer: Customer, stack: Stack, operator: User
) -> None:
    stack.worker()

    ended(services.run_now(customer.schedule, operator).run.pk)
    second = ended(services.run_now(customer.schedule, operator).run.pk)

    assert second.counts.unchanged == POLICIES, stack.logs()
    assert PolicyVersion.objects.count() == POLICIES
    assert BackupSet.objects.complete().count() == 2


def test_the_secret_of_a_connection_is_nowhere_to_be_found(
    customer: Customer,
    stack: Stack,
    broker: Broker,
    operator: User,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack.worker()
    ended(services.run_now(customer.schedule, operator).run.pk)
    customer.fault("revoke_credential")
    ended(services.run_now(customer.schedule, operator).run.pk)

    call_command("dumpdata", "operations", "backups", "providers")

    assert OperationRunEvent.objects.exists()
    dump = capsys.readouterr().out
    assert "canary" not in dump
    assert "canary" not in stack.logs()
    assert "canary" not in broker.dump()


def test_two_workers_share_the_work_and_run_nothing_twice(
    make_customer: object, workspace: object, stack: Stack, operator: User
) -> None:
    customers = [make_customer(workspace) for _ in range(6)]  # type: ignore[operator]
    stack.worker()
    stack.worker()

    runs = [services.run_now(customer.schedule, operator).run for customer in customers]

    outcomes = {ended(run.pk).outcome for run in runs}
    assert outcomes == {RunOutcome.SUCCEEDED}
    started = OperationRunEvent.objects.filter(kind="started")
    assert started.count() == len(customers)
    assert dt.timedelta(0) <= ended(runs[0].pk).queue_time < dt.timedelta(seconds=30)


def test_a_worker_that_is_killed_leaves_a_run_that_ends_and_a_retry_that_finishes(
    customer: Customer, make_stack: MakeStack, operator: User
) -> None:
    stack = make_stack(RUN_LEASE_SECONDS="4", RUN_HEARTBEAT_SECONDS="1")
    customer.fault("slow", ms=300)
    worker = stack.worker()
    run = services.run_now(customer.schedule, operator).run
    eventually(lambda: OperationRun.objects.get(pk=run.pk).counts.processed, what="the first item")

    kill_group(worker)
    customer.graph.control.clear(customer.id)
    stack.worker()
    stack.beat()

    lost = ended(run.pk)
    assert (lost.outcome, codes(lost)) == (RunOutcome.FAILED, {"worker_lost"})
    retry = eventually(lost.retries.first, what="the retry")
    assert ended(retry.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert BackupSet.objects.get(operation_run=retry).is_complete
    started = OperationRunEvent.objects.filter(kind="started", run__in=[lost, retry])
    assert started.count() == 2
