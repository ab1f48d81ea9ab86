"""Backups from dispatch to their end, with a real worker, beat, broker and Graph sandbox."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import call_command
from django.utils import timezone

from backups import services
from backups.models import BackupSchedule, BackupSet, PolicyVersion
from dev.services.processes import kill_group
from operations.models import OperationRun, OperationRunEvent
from operations.presentation.stages import load_timeline
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.types import OperationRunType
from tenancy.models import User, Workspace
from tests.support.broker import Broker
from tests.support.customer import KINDS, MANY, SIZES, Customer, MakeCustomer, MakeStack
from tests.support.stack import Stack, eventually, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

POLICIES = sum(SIZES[kind] for kind in KINDS)


def codes(run: OperationRun) -> set[str]:
    return {entry["code"] for entry in run.failure_summary}


@pytest.mark.executes(OperationRunType.BACKUP_SCHEDULE_SCHEDULED)
def test_a_due_slot_starts_a_run_that_succeeds(customer: Customer, stack: Stack) -> None:
    stack.start_worker()
    stack.start_beat()

    due = timezone.now().replace(second=0, microsecond=0)
    schedule = customer.schedule
    schedule.cron = f"{due.minute} {due.hour} {due.day} {due.month} *"
    services.save(schedule)
    BackupSchedule.objects.filter(pk=schedule.pk).update(
        settled_until=due - dt.timedelta(minutes=1), next_run_at=due, spread_seconds=0
    )

    started = eventually(OperationRun.objects.first, what="the run of the slot")
    run = wait_for_end(started.pk)
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
    stack.start_worker()

    run = wait_for_end(services.run_now(customer.schedule, operator).run.pk)

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED, stack.logs()
    assert codes(run) == {"permission_missing"}
    assert "Policy.Read.All" in run.failure_summary[0]["next_step"]
    assert run.counts.succeeded == POLICIES - SIZES["conditional_access"]
    assert run.counts.failed == 1
    assert not BackupSet.objects.get(operation_run=run).is_complete
    throttled_requests = [
        entry for entry in customer.graph.control.log(customer.id) if entry["status"] == 429
    ]
    assert throttled_requests
    check_timeline(run, waits=len(throttled_requests))


def check_timeline(run: OperationRun, *, waits: int) -> None:
    """Check that the stages add up to the whole time, and that every wait is on the timeline."""
    timeline, counts = load_timeline(run)
    stages = [line for line in timeline if not line.is_mark]
    assert [stage.label for stage in stages[:3]] == ["Recorded", "Published", "Claimed"]
    assert "Reading" in stages[-2].label or "Reading" in stages[-2].note
    assert stages[-1].label == "Partially succeeded"
    durations = [stage.duration for stage in stages[:-1]]
    assert all(duration is not None and duration >= dt.timedelta() for duration in durations)
    assert run.completed_at
    assert sum(filter(None, durations), dt.timedelta()) == run.completed_at - run.created_at
    waited = [line.duration for line in timeline if line.key == "wait"]
    # Without a Retry-After, the first wait is half a second to a second.
    assert dt.timedelta(seconds=waits / 2) <= sum(filter(None, waited), dt.timedelta())
    assert counts.lines == counts.last == run.events.count()


@pytest.mark.executes(OperationRunType.BACKUP_SCHEDULE_RETRY)
def test_a_retry_reads_only_what_failed(customer: Customer, stack: Stack, operator: User) -> None:
    customer.fault("forbid", kind="conditional_access", permission="Policy.Read.All")
    stack.start_worker()
    first = wait_for_end(services.run_now(customer.schedule, operator).run.pk)
    customer.graph.control.clear(customer.id)
    customer.graph.control.clear_log()

    retry = wait_for_end(OperationRunService().retry(first, by=operator).run.pk)

    assert retry.outcome == RunOutcome.SUCCEEDED, (retry.failure_summary, stack.logs())
    assert retry.retry_of == first
    assert retry.counts.succeeded == SIZES["conditional_access"]
    requested_kinds = {kind for _, kind in customer.graph.control.counts(customer.id)}
    assert "settings_catalog" not in requested_kinds
    assert BackupSet.objects.get(operation_run=retry).is_complete


def test_a_revoked_credential_ends_blocked_with_the_next_step(
    customer: Customer, stack: Stack, operator: User
) -> None:
    customer.fault("revoke_credential")
    stack.start_worker()

    run = wait_for_end(services.run_now(customer.schedule, operator).run.pk)

    assert run.outcome == RunOutcome.BLOCKED, (run.failure_summary, stack.logs())
    assert codes(run) == {"credential_rejected"}
    assert "secret" in run.failure_summary[0]["next_step"]


def test_a_broker_that_is_down_at_dispatch_loses_nothing(
    customer: Customer, stack: Stack, broker: Broker, operator: User
) -> None:
    stack.start_worker()
    stack.start_beat()
    broker.stop()

    result = services.run_now(customer.schedule, operator)
    assert result.created
    assert result.published is False
    assert result.run.events.filter(kind="publish_refused").exists()

    broker.start()
    run = wait_for_end(result.run.pk)
    assert run.outcome == RunOutcome.SUCCEEDED, (run.failure_summary, stack.logs())
    assert OperationRun.objects.count() == 1


def test_a_running_backup_is_cancelled_while_responses_are_awaited(
    make_customer: MakeCustomer, workspace: Workspace, stack: Stack, operator: User
) -> None:
    customer = make_customer(workspace, sizes=MANY)
    customer.fault("slow", kind="batch", ms=100, times=4)
    customer.fault("slow", kind="batch", ms=90_000)
    stack.start_worker()
    started = services.run_now(customer.schedule, operator).run

    eventually(
        lambda: OperationRun.objects.get(pk=started.pk).counts.processed, what="the first item"
    )
    OperationRunService().request_cancel(started, by=operator, reason="the wrong tenant")

    run = wait_for_end(started.pk)
    assert run.outcome == RunOutcome.CANCELLED
    assert run.completed_at
    assert run.cancel_requested_at
    assert run.completed_at - run.cancel_requested_at <= dt.timedelta(seconds=60)
    labels = [line.label for line in load_timeline(run)[0]]
    text = f"Cancellation requested by {operator.username}. Reason: the wrong tenant"
    assert labels.index(text) < labels.index("Cancelled")
    assert 0 < run.counts.processed < run.counts.total
    assert not BackupSet.objects.get(operation_run=run).is_complete


def test_equal_contents_of_two_backups_are_stored_once(
    customer: Customer, stack: Stack, operator: User
) -> None:
    stack.start_worker()

    wait_for_end(services.run_now(customer.schedule, operator).run.pk)
    second = wait_for_end(services.run_now(customer.schedule, operator).run.pk)

    assert second.counts.unchanged == POLICIES, stack.logs()
    assert PolicyVersion.objects.count() == POLICIES
    assert BackupSet.objects.complete().count() == 2


def test_the_secret_of_a_connection_is_stored_and_logged_nowhere(
    customer: Customer,
    stack: Stack,
    broker: Broker,
    operator: User,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack.start_worker()
    wait_for_end(services.run_now(customer.schedule, operator).run.pk)
    customer.fault("revoke_credential")
    wait_for_end(services.run_now(customer.schedule, operator).run.pk)

    call_command("dumpdata", "operations", "backups", "providers")

    assert OperationRunEvent.objects.exists()
    dump = capsys.readouterr().out
    assert "canary" not in dump
    assert "canary" not in stack.logs()
    assert "canary" not in broker.dump()


def test_two_workers_share_the_runs_and_execute_each_once(
    make_customer: object, workspace: object, stack: Stack, operator: User
) -> None:
    customers = [make_customer(workspace) for _ in range(6)]  # type: ignore[operator]
    stack.start_worker()
    stack.start_worker()

    runs = [services.run_now(customer.schedule, operator).run for customer in customers]

    outcomes = {wait_for_end(run.pk).outcome for run in runs}
    assert outcomes == {RunOutcome.SUCCEEDED}
    started = OperationRunEvent.objects.filter(kind="started")
    assert started.count() == len(customers)
    assert dt.timedelta(0) <= wait_for_end(runs[0].pk).queue_time < dt.timedelta(minutes=5)


def test_the_run_of_a_killed_worker_ends_as_lost_and_its_retry_succeeds(
    make_customer: MakeCustomer, workspace: Workspace, make_stack: MakeStack, operator: User
) -> None:
    stack = make_stack(RUN_LEASE_SECONDS="6", RUN_HEARTBEAT_SECONDS="1")
    customer = make_customer(workspace, sizes=MANY)
    customer.fault("slow", kind="batch", ms=3000)
    worker = stack.start_worker()
    run = services.run_now(customer.schedule, operator).run
    eventually(lambda: OperationRun.objects.get(pk=run.pk).counts.processed, what="the first item")

    kill_group(worker)
    customer.graph.control.clear(customer.id)
    stack.start_worker()
    stack.start_beat()

    lost = wait_for_end(run.pk)
    assert (lost.outcome, codes(lost)) == (RunOutcome.FAILED, {"worker_lost"})
    retry = eventually(lost.retries.first, what="the retry")
    assert wait_for_end(retry.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert BackupSet.objects.get(operation_run=retry).is_complete
    started = OperationRunEvent.objects.filter(kind="started", run__in=[lost, retry])
    assert started.count() == 2
