"""Whatever the clocks do, whoever else is at work: every slot is told of once, as a plain model says."""

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
#: Minutes between two slots, and how late one still fires.
EVERY, GRACE = 240, 60
MINUTE = dt.timedelta(minutes=1)

FIRED, OVERLAP, MISSED, SUSPENDED = "", "previous_run_active", "missed", "tenant_suspended"


class Slots(RuleBasedStateMachine):
    """One schedule of every four hours. Slots are counted from the first one, time in minutes."""

    tenant: Tenant
    person: User

    def __init__(self) -> None:
        super().__init__()
        self.service = OperationRunService()
        self.schedule: BackupSchedule = BackupScheduleFactory(
            tenant=self.tenant, cron="0 */4 * * *", due=FIRST, misfire_grace=GRACE * MINUTE
        )
        self.now = 0
        self.due = 0
        self.reached = 0
        self.told: dict[int, str] = {}
        self.covered: set[int] = set()
        self.active: int | None = None
        self.is_suspended = False

    # --- time -------------------------------------------------------------------------------------

    @rule(
        passed=st.sampled_from([0, 1, 30, 60, 130, 240, 900]),
        wrong=st.sampled_from([0, 0, 0, -5, -1, 1, 5]),
    )
    def tick(self, passed: int, wrong: int) -> None:
        """Some minutes later, by a clock that is wrong by some."""
        self.now += passed
        now = self.now + wrong
        ticked = tick(FIRST + now * MINUTE)

        latest = now // EVERY
        assert ticked.schedules == (latest >= self.due)
        if latest < self.due:
            assert (ticked.fired, ticked.blocked) == (0, 0)
            return
        fires = now - latest * EVERY <= GRACE
        last_missed = latest - 1 if fires else latest
        if last_missed >= self.due:
            self.covered.update(range(self.due, last_missed + 1))
            self.told.setdefault(last_missed, MISSED)
        if fires:
            self._fire(latest)
        self.due = latest + 1
        self.reached = max(self.reached, self.due)

    def _fire(self, slot: int) -> None:
        self.covered.add(slot)
        if slot in self.told:
            return
        if self.is_suspended:
            self.told[slot] = SUSPENDED
        elif self.active is not None:
            self.told[slot] = OVERLAP
        else:
            self.told[slot] = FIRED
            self.active = OperationRun.objects.active().get(context__scheduled_for=_text(slot)).pk

    @rule(slots=st.integers(1, 3))
    def set_back(self, slots: int) -> None:
        """As after a clock that was wrong: slots that were told of are due once more."""
        self.due = max(0, self.due - slots)
        due = FIRST + self.due * EVERY * MINUTE
        BackupSchedule.objects.filter(pk=self.schedule.pk).update(next_run_at=due)

    # --- people and workers -----------------------------------------------------------------------

    @rule()
    def run_now(self) -> None:
        request = run_now_request(self.schedule, self.person)
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
    def suspend_or_not(self) -> None:
        self.is_suspended = not self.is_suspended
        self.tenant.status = TenantStatus.SUSPENDED if self.is_suspended else TenantStatus.ACTIVE
        self.tenant.save()

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def the_rows_say_what_the_model_says(self) -> None:
        runs = OperationRun.objects.filter(
            type="backup_schedule.scheduled", context__backup_schedule_id=self.schedule.pk
        )
        said = [
            (run.context["scheduled_for"], run.failures[0]["code"] if run.failures else FIRED)
            for run in runs.order_by("pk")
        ]
        assert sorted(said) == sorted((_text(slot), code) for slot, code in self.told.items())

    @invariant()
    def every_slot_that_has_come_is_told_of(self) -> None:
        assert self.covered == set(range(self.reached))

    @invariant()
    def the_schedule_waits_for_the_next_slot(self) -> None:
        waits_for = BackupSchedule.objects.get(pk=self.schedule.pk).next_run_at
        assert waits_for == FIRST + self.due * EVERY * MINUTE

    def teardown(self) -> None:
        if self.active is not None:
            self.work(Ending.FINISHED)
        if self.is_suspended:
            self.suspend_or_not()
        BackupSchedule.objects.filter(pk=self.schedule.pk).update(next_run_at=FAR)


def _text(slot: int) -> str:
    return format_slot(FIRST + slot * EVERY * MINUTE)


def test_slots_and_a_plain_model_agree_whatever_happens(tenant: Tenant) -> None:
    Slots.tenant, Slots.person = tenant, UserFactory()

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
