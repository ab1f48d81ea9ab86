"""A tick creates one run for every due slot, also after outages and errors."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backups import misfire, services
from backups.models import BackupSchedule, MisfirePolicy
from backups.tick import tick
from operations.context import format_slot
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tests.support.clock import forget_slots
from tests.support.factories.backups import BackupScheduleFactory, utc

pytestmark = pytest.mark.django_db

SLOT = utc(2026, 3, 8, 2, 30)
SOON = SLOT + dt.timedelta(seconds=20)
MINUTE, HOUR, DAY = (dt.timedelta(**{unit: 1}) for unit in ("minutes", "hours", "days"))


def runs_of(schedule: BackupSchedule) -> list[OperationRun]:
    return list(OperationRun.objects.filter(context__backup_schedule_id=schedule.pk).order_by("id"))


def run_of(schedule: BackupSchedule) -> OperationRun:
    (run,) = runs_of(schedule)
    return run


def test_a_due_slot_starts_a_run_and_sets_the_next_slot(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, name="Nightly", due=SLOT)

    result = tick(SOON)

    run = run_of(schedule)
    assert result.started == 1
    assert run.type == OperationRunType.BACKUP_SCHEDULE_SCHEDULED
    assert run.status == RunStatus.QUEUED
    assert run.initiator_name == "Schedule: Nightly"
    assert run.tenant == tenant
    assert run.context["scheduled_for"] == "2026-03-08T02:30Z"
    assert run.context["target_scope"] == {
        "tenant_name": "Fabrikam",
        "tenant_external_id": str(tenant.external_id),
        "kinds": ["settings_catalog", "conditional_access"],
    }
    schedule.refresh_from_db()
    assert schedule.next_run_at == SLOT + DAY


def test_a_second_tick_has_no_effect(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT)
    tick(SOON)

    assert tick(SOON).schedules == 0
    assert len(runs_of(schedule)) == 1


def test_a_slot_that_is_due_again_gets_no_second_run(
    tenant: Tenant,
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT)
    tick(SOON)
    BackupSchedule.objects.filter(pk=schedule.pk).update(
        settled_until=SLOT - MINUTE, next_run_at=SLOT
    )

    tick(SOON)

    assert len(runs_of(schedule)) == 1


def test_a_slot_does_not_start_before_its_time(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT)

    tick(SLOT - dt.timedelta(seconds=1))

    assert runs_of(schedule) == []


def test_the_spread_delays_the_start_but_not_the_slot(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT, spread_seconds=90)

    tick(SLOT + dt.timedelta(seconds=89))
    assert runs_of(schedule) == []
    tick(SLOT + dt.timedelta(seconds=90))

    assert run_of(schedule).context["scheduled_for"] == format_slot(SLOT)


def test_a_paused_schedule_does_not_start_runs(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, paused=True)

    tick(SOON)

    assert runs_of(schedule) == []


def test_a_slot_during_an_active_run_is_blocked_and_names_that_run(
    tenant: Tenant, operator: User
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT)
    active_run = services.run_now(schedule, operator).run

    result = tick(SOON)

    assert (result.started, result.blocked) == (0, 1)
    blocked = runs_of(schedule)[1]
    assert blocked.outcome == RunOutcome.BLOCKED
    assert blocked.type == OperationRunType.BACKUP_SCHEDULE_SCHEDULED
    assert blocked.context["scheduled_for"] == format_slot(SLOT)
    assert blocked.context["previous_run_id"] == active_run.pk
    assert blocked.failures[0]["code"] == "previous_run_active"
    assert f"Run {active_run.pk} " in blocked.failures[0]["message"]
    assert not active_run.events.filter(kind="joined").exists()


def test_slots_during_a_long_backup_are_blocked_and_the_next_one_starts(
    tenant: Tenant,
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, cron="* * * * *", due=SLOT)
    service = OperationRunService()
    for minute in range(3):
        tick(SLOT + minute * MINUTE)
    assert service.claim(runs_of(schedule)[0].pk, "worker-1")
    service.complete(runs_of(schedule)[0].pk)

    tick(SLOT + 3 * MINUTE)

    first, blocked, started = runs_of(schedule)
    assert [run.outcome for run in (first, blocked, started)] == ["succeeded", "blocked", "pending"]
    assert blocked.context["repeated"] == {
        "slots": 2,
        "first": format_slot(SLOT + MINUTE),
        "last": format_slot(SLOT + 2 * MINUTE),
    }


def test_a_suspended_tenant_is_blocked(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT)
    Tenant.objects.filter(pk=tenant.pk).update(status=TenantStatus.SUSPENDED)

    tick(SOON)

    run = run_of(schedule)
    assert (run.outcome, run.failures[0]["code"]) == (RunOutcome.BLOCKED, "tenant_suspended")
    schedule.refresh_from_db()
    assert schedule.next_run_at == SLOT + DAY


def test_after_an_outage_the_latest_slot_starts_and_the_others_are_one_missed_run(
    tenant: Tenant,
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, cron="30 * * * *", due=SLOT)

    tick(SLOT + 6 * HOUR + 5 * MINUTE)

    missed, started = runs_of(schedule)
    assert started.status == RunStatus.QUEUED
    assert started.context["scheduled_for"] == "2026-03-08T08:30Z"
    assert missed.outcome == RunOutcome.BLOCKED
    assert missed.failures[0]["code"] == "missed"
    assert missed.failures[0]["message"].startswith(
        "6 slots from 8 Mar 2026, 02:30 UTC to 8 Mar 2026, 07:30 UTC were missed: "
        "the scheduler was not running until 8 Mar 2026, 08:35 UTC."
    )
    assert missed.context["scheduled_for"] == "2026-03-08T07:30Z"
    assert missed.context["missed"] == {
        "slots": 6,
        "or_more": False,
        "first": "2026-03-08T02:30Z",
        "last": "2026-03-08T07:30Z",
    }


def test_a_schedule_that_skips_missed_slots_only_records_them(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT, misfire_policy=MisfirePolicy.SKIP)
    Workspace.objects.filter(pk=tenant.workspace_id).update(timezone="Europe/Berlin")

    tick(SLOT + HOUR)

    message = run_of(schedule).failures[0]["message"]
    assert message.startswith("The slot 8 Mar 2026, 03:30 CET was missed")
    schedule.refresh_from_db()
    assert schedule.next_run_at == SLOT + DAY


@pytest.mark.parametrize("policy", MisfirePolicy.values)
def test_one_lost_tick_makes_no_slot_late(tenant: Tenant, policy: str) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT, misfire_policy=policy)

    tick(SLOT + dt.timedelta(seconds=75))

    assert run_of(schedule).is_active


def test_a_slot_older_than_the_grace_period_is_missed(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=SLOT, misfire_grace=3 * HOUR)

    tick(SLOT + 3 * HOUR + MINUTE)

    assert run_of(schedule).failures[0]["code"] == "missed"


def test_an_outage_of_a_year_is_one_missed_run(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, cron="* * * * *", due=SLOT)

    tick(SLOT + 365 * DAY)

    missed, started = runs_of(schedule)
    assert missed.context["missed"]["or_more"] is True
    assert missed.failures[0]["message"].startswith("1000 or more slots from")
    assert missed.context["scheduled_for"] == format_slot(SLOT + 365 * DAY - MINUTE)
    assert started.context["scheduled_for"] == format_slot(SLOT + 365 * DAY)


def test_the_slots_of_schedules_with_the_same_times_are_computed_once(tenant: Tenant) -> None:
    """After an outage, hundreds of schedules have thousands of missed slots each."""
    schedules = [
        BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=SLOT, spread_seconds=number)
        for number in range(5)
    ]
    forget_slots()

    tick(SLOT + 7 * DAY)

    assert misfire._missed_slots.cache_info().misses == 2
    missed = [runs_of(schedule)[0].context["missed"] for schedule in schedules]
    assert [each["slots"] for each in missed] == [1000] * 5


@pytest.mark.parametrize("count", [1, 60])
def test_any_number_of_due_slots_needs_the_same_number_of_statements(
    tenant: Tenant, count: int
) -> None:
    BackupScheduleFactory.create_batch(count, tenant=tenant, due=SLOT)

    with CaptureQueriesContext(connection) as queries:
        assert tick(SOON).started == count

    # Three savepoints, due schedules twice, runs with their events, next slots.
    assert len(queries) <= 10


@pytest.mark.parametrize("seconds", [0, 1, 59])
def test_a_slot_counts_in_the_minute_in_which_its_schedule_was_settled(seconds: int) -> None:
    def decide(settled_until: dt.datetime, until: dt.datetime) -> misfire.Decision:
        return misfire.decide(
            cron="*/5 * * * *",
            timezone="Europe/Berlin",
            settled_until=settled_until,
            until=until,
            catch_up=True,
            grace=HOUR,
        )

    span = dt.timedelta(seconds=seconds)
    at_slot = decide(SLOT + span, SLOT + 5 * MINUTE + span)
    before_slot = decide(SLOT - MINUTE + span, SLOT + 4 * MINUTE + span)

    assert (at_slot.run_slot, at_slot.missed) == (SLOT + 5 * MINUTE, None)
    assert at_slot.next_slot == SLOT + 10 * MINUTE
    assert (before_slot.run_slot, before_slot.missed) == (SLOT, None)
    assert before_slot.next_slot == SLOT + 5 * MINUTE


def test_the_next_tick_processes_schedules_beyond_the_limit(tenant: Tenant) -> None:
    BackupScheduleFactory.create_batch(5, tenant=tenant, due=SLOT)

    assert [tick(SOON, limit=2).started for _ in range(4)] == [2, 2, 1, 0]


def test_a_schedule_with_invalid_times_is_paused_and_the_others_start(tenant: Tenant) -> None:
    broken = BackupScheduleFactory(tenant=tenant, timezone="Atlantis/Capital", due=SLOT)
    valid = BackupScheduleFactory(tenant=tenant, due=SLOT)

    tick(SOON)

    broken.refresh_from_db()
    assert broken.is_paused
    assert "time zone" in broken.pause_reason
    assert len(runs_of(valid)) == 1


def test_a_tick_uses_the_clock_of_the_database(tenant: Tenant) -> None:
    due = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    schedule = BackupScheduleFactory(tenant=tenant, cron=f"{due.minute} {due.hour} * * *", due=due)

    tick()

    assert run_of(schedule).is_active
