"""Every slot has exactly one run, with any clock and any concurrent work, as in a simple model."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backups.models import BackupSchedule
from backups.requests import run_now_request
from backups.tick import tick
from operations.context import format_slot
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import Ending
from tenancy.models import Tenant, TenantStatus, User
from tests.support.factories import UserFactory
from tests.support.factories.backups import FAR, BackupScheduleFactory, utc
from tests.support.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = utc(2026, 1, 5, 0, 0)
#: Minutes between two slots, and the grace period.
EVERY, GRACE = 240, 60
MINUTE = dt.timedelta(minutes=1)

STARTED, OVERLAP, MISSED, SUSPENDED = "", "previous_run_active", "missed", "tenant_suspended"


class Slots(RuleBasedStateMachine):
    """A schedule that runs every four hours. Slots are numbered from the first; time is in minutes."""

    tenant: Tenant
    operator: User

    def __init__(self) -> None:
        super().__init__()
        self.service = OperationRunService()
        self.schedule: BackupSchedule = BackupScheduleFactory(
            tenant=self.tenant, cron="0 */4 * * *", due=FIRST, misfire_grace=GRACE * MINUTE
        )
        self.now = 0
        self.due = 0
        self.slots_so_far = 0
        self.reasons: dict[int, str] = {}
        self.recorded_slots: set[int] = set()
        self.active: int | None = None
        self.is_suspended = False

    # --- time -------------------------------------------------------------------------------------

    @rule(
        passed=st.sampled_from([0, 1, 30, 60, 130, 240, 900]),
        deviation=st.sampled_from([0, 0, 0, -5, -1, 1, 5]),
    )
    def tick(self, passed: int, deviation: int) -> None:
        """Let `passed` minutes pass, then tick with a clock that deviates by `deviation` minutes."""
        self.now += passed
        now = self.now + deviation
        result = tick(FIRST + now * MINUTE)

        latest = now // EVERY
        assert result.schedules == (latest >= self.due)
        if latest < self.due:
            assert (result.started, result.blocked) == (0, 0)
            return
        starts = now - latest * EVERY <= GRACE
        last_missed = latest - 1 if starts else latest
        if last_missed >= self.due:
            self.recorded_slots.update(range(self.due, last_missed + 1))
            self.reasons.setdefault(last_missed, MISSED)
        if starts:
            self._record_start(latest)
        self.due = latest + 1
        self.slots_so_far = max(self.slots_so_far, self.due)

    def _record_start(self, slot: int) -> None:
        self.recorded_slots.add(slot)
        if slot in self.reasons:
            return
        if self.is_suspended:
            self.reasons[slot] = SUSPENDED
        elif self.active is not None:
            self.reasons[slot] = OVERLAP
        else:
            self.reasons[slot] = STARTED
            self.active = OperationRun.objects.active().get(context__scheduled_for=_text(slot)).pk

    @rule(slots=st.integers(1, 3))
    def set_back(self, slots: int) -> None:
        """Make recorded slots due again, as after a wrong clock."""
        self.due = max(0, self.due - slots)
        due = FIRST + self.due * EVERY * MINUTE
        BackupSchedule.objects.filter(pk=self.schedule.pk).update(next_run_at=due)

    # --- users and workers ------------------------------------------------------------------------

    @rule()
    def run_now(self) -> None:
        request = run_now_request(self.schedule, self.operator)
        result = self.service.dispatch_many([request])[0]
        assert result.created == (self.active is None)
        assert self.active in (None, result.run.pk)
        self.active = result.run.pk

    @precondition(lambda self: self.active is not None)
    @rule(ending=st.sampled_from([Ending.FINISHED, Ending.CANCELLED]))
    def work(self, ending: Ending) -> None:
        assert self.active is not None
        assert self.service.claim(self.active, "worker")
        self.service.complete(self.active, ending=ending)
        self.active = None

    @rule()
    def toggle_suspension(self) -> None:
        self.is_suspended = not self.is_suspended
        self.tenant.status = TenantStatus.SUSPENDED if self.is_suspended else TenantStatus.ACTIVE
        self.tenant.save()

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def the_runs_match_the_model(self) -> None:
        runs = OperationRun.objects.filter(
            type="backup_schedule.scheduled", context__backup_schedule_id=self.schedule.pk
        )
        recorded = [
            (run.context["scheduled_for"], run.failures[0]["code"] if run.failures else STARTED)
            for run in runs.order_by("pk")
        ]
        assert sorted(recorded) == sorted(
            (_text(slot), code) for slot, code in self.reasons.items()
        )

    @invariant()
    def every_due_slot_is_recorded(self) -> None:
        assert self.recorded_slots == set(range(self.slots_so_far))

    @invariant()
    def the_next_run_is_the_next_slot(self) -> None:
        next_run_at = BackupSchedule.objects.get(pk=self.schedule.pk).next_run_at
        assert next_run_at == FIRST + self.due * EVERY * MINUTE

    def teardown(self) -> None:
        if self.active is not None:
            self.work(Ending.FINISHED)
        if self.is_suspended:
            self.toggle_suspension()
        BackupSchedule.objects.filter(pk=self.schedule.pk).update(next_run_at=FAR)


def _text(slot: int) -> str:
    return format_slot(FIRST + slot * EVERY * MINUTE)


def test_the_runs_of_slots_match_a_simple_model(tenant: Tenant) -> None:
    Slots.tenant, Slots.operator = tenant, UserFactory()

    run_state_machine_as_test(
        Slots,
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
