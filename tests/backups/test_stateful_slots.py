"""Every slot has exactly one run or explanation, with any clock and any work, as in a simple model.

The model knows no cron library and no time zone: it counts seconds and knows which seconds are
slots. The clock of the database is simulated, and so are updates of the rules of time zones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backups import services
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from backups.requests import run_now_request
from backups.slots import spread
from backups.tasks import tick_backup_schedules
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.services import OperationRunService
from operations.states import Ending
from tenancy import services as tenancy_services
from tenancy.models import Tenant, User
from tests.support.clock import DatabaseClock
from tests.support.factories import UserFactory
from tests.support.factories.backups import utc
from tests.support.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = utc(2026, 1, 5, 0, 0)
MINUTE, HOUR, DAY = 60, 3600, 86_400
#: Expressions, each with the seconds between two slots and the local second of the first one.
CRONS = {"0 */4 * * *": (4 * HOUR, 0), "30 */2 * * *": (2 * HOUR, 30 * MINUTE)}
#: Versions of the rules, each with the time zone that Europe/Berlin has the rules of, and its offset.
ZONES = (("Etc/GMT-1", HOUR), ("Etc/GMT-2", 2 * HOUR))
VERSIONS = [f"2030{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
GRACE, TOLERATED, TICK = HOUR, 10 * MINUTE, 30
SPREAD = dt.timedelta(seconds=100)

STARTED, OVERLAP, MISSED, SUSPENDED = "", "previous_run_active", "missed", "tenant_suspended"


@dataclass(frozen=True)
class Record:
    """The run of a slot: why it was blocked, and up to which slot it also stands for others."""

    reason: str
    holder: int | None = None
    revision: int = 0
    slots: int = 1
    first: int = 0
    last: int = 0


def offset_of(version: str) -> int:
    return ZONES[VERSIONS.index(version) % 2][1]


def slots_in(cron: str, version: str, after: int, until: int) -> list[int]:
    """The slots later than `after`, up to and including `until`."""
    every, phase = CRONS[cron]
    first = after + 1 + (phase - offset_of(version) - after - 1) % every
    return list(range(first, until + 1, every))


class Slots(RuleBasedStateMachine):
    """One schedule. Times are in seconds from `FIRST`."""

    tenant: Tenant
    user: User
    clock: DatabaseClock
    use_rules: Callable[..., None]
    number = 0
    last_tick: int | None

    @initialize(cron=st.sampled_from(list(CRONS)))
    def add_schedule(self, cron: str) -> None:
        self.service = OperationRunService()
        self.now, self.last_tick = 0, None
        self.version, self.applied_version = VERSIONS[0], VERSIONS[0]
        self._install_rules()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM operation_ticks; DELETE FROM backup_time_zone_rules")
        self._set_clock(0)
        self._add_schedule(cron)

    def _add_schedule(self, cron: str) -> None:
        self.schedule = services.save(
            BackupSchedule(
                workspace=self.tenant.workspace,
                tenant=self.tenant,
                name=self._new_name(cron),
                cron=cron,
                timezone="Europe/Berlin",
                kinds=["compliance"],
                misfire_grace=dt.timedelta(seconds=GRACE),
            )
        )
        self.cron, self.settled, self.revision, self.is_paused = cron, self.now, 1, False
        self.applied_version = self.version
        self.records: dict[int, Record] = {}
        self.active: int | None = None
        self.is_suspended = False

    def _new_name(self, cron: str) -> str:
        """Return a name of a schedule whose slots wait for their spread: the same in all examples.

        With another one, the same steps would lead to another state, which Hypothesis calls flaky.
        """
        while True:
            Slots.number += 1
            name = f"Schedule {Slots.number}"
            if spread(cron, "Europe/Berlin", f"{self.tenant.pk}/{name}", FIRST) == SPREAD:
                return name

    # --- time -------------------------------------------------------------------------------------

    def _set_clock(self, now: int) -> None:
        self.clock.set(FIRST + dt.timedelta(seconds=now))

    @rule(
        passed=st.sampled_from([0, 1, 30, 50, 70, 118, 121, 130, 240, 900]),
        seconds=st.sampled_from([0, 0, 20, 59]),
    )
    def let_time_pass(self, passed: int, seconds: int) -> None:
        self.now += passed * MINUTE + seconds
        self._set_clock(self.now)

    @rule(seconds=st.sampled_from([-1, 0, 1, 10, 30, 10, 59, 120]))
    def reach_slot(self, seconds: int) -> None:
        """The next slot has just come, and its run waits for the spread."""
        every = CRONS[self.cron][0]
        (slot,) = slots_in(self.cron, self.version, self.now, self.now + every)
        self.now = slot + seconds
        self._set_clock(self.now)

    @rule(minutes=st.sampled_from([-5, -1, 1, 5, -120, 120, -24 * 60, 24 * 60]))
    def set_clock(self, minutes: int) -> None:
        """The clock of the database is set and stays so."""
        self.now += minutes * MINUTE
        self._set_clock(self.now)

    @rule()
    def tick_twice(self) -> None:
        """Two ticks agree on the time."""
        self._tick(self.now)
        self.now += TICK
        self._tick(self.now)
        assert self.schedule.pk not in unexplained_schedules()

    @rule(deviation=st.sampled_from([-DAY, -HOUR, -3 * MINUTE, 0, 0, 0, 3 * MINUTE, HOUR, DAY]))
    def tick_once(self, deviation: int) -> None:
        """One tick sees another time than the following one."""
        self._tick(self.now + deviation)
        self._set_clock(self.now)

    def _tick(self, now: int) -> None:
        self._set_clock(now)
        tick_backup_schedules()
        previous, interval = self.last_tick, TICK / 2
        if previous is not None and abs(now - previous) < interval + (now < previous):
            return
        self.last_tick = now
        if previous is None or 0 <= now - previous <= TOLERATED:
            self._expect_tick(now)

    # --- what is expected -------------------------------------------------------------------------

    @property
    def spread(self) -> int:
        return BackupSchedule.objects.values_list("spread_seconds", flat=True).get(
            pk=self.schedule.pk
        )

    def _expect_tick(self, now: int) -> None:
        if self.is_paused:
            return
        self._expect_correction(now)
        if slots_in(self.cron, self.version, self.settled, now - self.spread):
            self._expect_settled(now - self.spread)

    def _expect_correction(self, now: int) -> None:
        """A clock that was ahead is corrected, and other rules count from what is settled on."""
        if self.settled > now + TOLERATED:
            self.settled = now
            self.revision += 1
        elif offset_of(self.applied_version) != offset_of(self.version):
            self.revision += 1
        self.applied_version = self.version

    def _expect_settled(self, until: int) -> None:
        slots = slots_in(self.cron, self.version, self.settled, until)
        self.settled = max(self.settled, until)
        if not slots:
            return
        runs = until - slots[-1] <= GRACE
        if missed := slots[:-1] if runs else slots:
            record = Record(MISSED, slots=len(missed), first=missed[0], last=missed[-1])
            self.records.setdefault(missed[-1], record)
        if runs and slots[-1] not in self.records:
            self._expect_run(slots[-1])

    def _expect_run(self, slot: int) -> None:
        if not self.is_suspended and self.active is None:
            self.records[slot] = Record(STARTED, first=slot, last=slot)
            self.active = OperationRun.objects.active().get(tenant=self.tenant).pk
            return
        reason = SUSPENDED if self.is_suspended else OVERLAP
        holder = None if self.is_suspended else self.active
        earlier = max((other for other in self.records if other < slot), default=None)
        if earlier is not None:
            record = self.records[earlier]
            if (record.reason, record.holder, record.revision) == (reason, holder, self.revision):
                if record.last < slot:
                    self.records[earlier] = replace(record, slots=record.slots + 1, last=slot)
                return
        self.records[slot] = Record(reason, holder, self.revision, first=slot, last=slot)

    def _expect_settled_before_change(self) -> None:
        """A slot that has come is owed by the times under which it came."""
        if self.is_paused:
            return
        if self.applied_version != self.version:
            self._expect_correction(self.now)
        self._expect_settled(self.now)

    def _expect_settled_until_now(self) -> None:
        if not self.now < self.settled <= self.now + TOLERATED:
            self.settled = self.now

    # --- users and workers ------------------------------------------------------------------------

    @rule(cron=st.sampled_from(list(CRONS)))
    def edit(self, cron: str) -> None:
        schedule = BackupSchedule.objects.with_scope().get(pk=self.schedule.pk)
        schedule.cron = cron
        services.save(schedule, by=self.user)
        self._expect_settled_before_change()
        if cron != self.cron and not self.is_paused:
            self._expect_settled_until_now()
            self.revision += 1
        self.cron = cron

    @rule()
    def rename(self) -> None:
        schedule = BackupSchedule.objects.with_scope().get(pk=self.schedule.pk)
        schedule.name = f"{schedule.name.partition(',')[0]}, renamed at {self.now}"
        services.save(schedule, by=self.user)
        self._expect_settled_before_change()

    @precondition(lambda self: not self.is_paused)
    @rule()
    def pause(self) -> None:
        services.pause(self.schedule, by=self.user)
        self._expect_settled_before_change()
        self._expect_settled_until_now()
        self.is_paused = True

    @precondition(lambda self: self.is_paused)
    @rule()
    def resume(self) -> None:
        services.resume(self.schedule, by=self.user)
        self._expect_settled_until_now()
        self.revision += 1
        self.is_paused, self.applied_version = False, self.version

    @rule()
    def delete(self) -> None:
        """Delete the schedule, whose slots stay explained, and go on with a new one."""
        self.reach_slot(5)
        services.delete(self.schedule, by=self.user, reason="Model")
        self._expect_settled_before_change()
        if not self.is_paused:
            self._expect_settled_until_now()
        self.is_paused = True
        self.the_runs_match_the_model()
        self.every_slot_of_a_revision_is_explained()
        self.the_next_run_is_the_first_slot_that_is_not_settled()
        with pytest.raises(ValidationError):
            services.resume(self.schedule, by=self.user)
        with pytest.raises(Blocked):
            services.run_now(self._stored(), self.user)
        assert self.schedule.pk not in unexplained_schedules()
        if self.active is not None:
            self.work(Ending.FINISHED)
        if self.is_suspended:
            self.toggle_suspension()
        self._add_schedule(self.cron)

    @precondition(lambda self: not self.is_paused)
    @rule(
        seconds=st.integers(0, 30),
        cron=st.sampled_from([*CRONS, None]),
        is_suspended=st.booleans(),
    )
    def change_before_the_run_of_a_slot(
        self, seconds: int, cron: str | None, is_suspended: bool
    ) -> None:
        """Edit or pause between a slot and its spread."""
        self.reach_slot(seconds)
        if is_suspended != self.is_suspended:
            self.toggle_suspension()
        if cron is None:
            self.pause()
        else:
            self.edit(cron)

    @rule()
    def toggle_suspension(self) -> None:
        self.is_suspended = not self.is_suspended
        if self.is_suspended:
            tenancy_services.suspend(self.tenant, by=self.user, reason="Model")
        else:
            tenancy_services.resume(self.tenant, by=self.user)

    @precondition(lambda self: self.version != VERSIONS[-1])
    @rule()
    def update_rules(self) -> None:
        """Every process starts again with the next version of the time-zone rules."""
        self.version = VERSIONS[VERSIONS.index(self.version) + 1]
        self._install_rules()

    def _install_rules(self) -> None:
        zone, _ = ZONES[VERSIONS.index(self.version) % 2]
        type(self).use_rules(self.version, {"Europe/Berlin": zone})

    @rule()
    def run_now(self) -> None:
        result = self.service.dispatch_many([run_now_request(self.schedule, self.user)])[0]
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

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def the_runs_match_the_model(self) -> None:
        expected = {
            _text(slot): (
                record.reason,
                (record.slots, _text(record.first), _text(record.last))
                if record.slots > 1 or record.reason == MISSED
                else None,
            )
            for slot, record in self.records.items()
        }
        assert self._recorded() == expected

    def _recorded(self) -> dict[str, tuple[str, tuple[int, str, str] | None]]:
        recorded = {}
        for run in self._runs():
            group = run.context.get("repeated") or run.context.get("missed")
            summary = (group["slots"], group["first"], group["last"]) if group else None
            reason = run.failures[0]["code"] if run.failures else STARTED
            recorded[run.context["scheduled_for"]] = (reason, summary)
        return recorded

    def _runs(self) -> list[OperationRun]:
        runs = OperationRun.objects.filter(type="backup_schedule.scheduled")
        return list(runs.filter(context__backup_schedule_id=self.schedule.pk))

    @invariant()
    def every_slot_of_a_revision_is_explained(self) -> None:
        """The model computes the slots of each stored revision by the rules of its version."""
        recorded = self.records.values()
        revisions = list(self._stored().revisions.all())
        for revision in revisions:
            start = _seconds(revision.valid_from)
            end = self.settled if revision.valid_until is None else _seconds(revision.valid_until)
            for slot in slots_in(revision.cron, revision.rules_version, start, end):
                assert any(record.first <= slot <= record.last for record in recorded), slot
        assert len(revisions) == self.revision

    @invariant()
    def the_next_run_is_the_first_slot_that_is_not_settled(self) -> None:
        schedule = self._stored()
        assert _seconds(schedule.settled_until) <= self.settled
        if self.is_paused:
            assert schedule.next_run_at is None
        elif self.applied_version == self.version:
            every = CRONS[self.cron][0]
            following = slots_in(self.cron, self.version, self.settled, self.settled + every)
            assert schedule.next_run_at == FIRST + dt.timedelta(seconds=following[0])

    def _stored(self) -> BackupSchedule:
        return BackupSchedule.objects.get(pk=self.schedule.pk)

    def teardown(self) -> None:
        if not hasattr(self, "schedule"):
            return
        if self.active is not None:
            self.work(Ending.FINISHED)
        if self.is_suspended:
            self.toggle_suspension()
        if not self.is_paused:
            services.pause(self.schedule, by=self.user)
            OperationRun.objects.filter(tenant=self.tenant, status="queued").update(
                status="completed", outcome="cancelled", completed_at=FIRST, next_publish_at=None
            )


def _text(slot: int) -> str:
    return f"{FIRST + dt.timedelta(seconds=slot):%Y-%m-%dT%H:%MZ}"


def _seconds(moment: dt.datetime) -> int:
    return round((moment - FIRST).total_seconds())


@pytest.mark.long
def test_the_runs_of_slots_match_a_simple_model(
    tenant: Tenant, database_clock: DatabaseClock, use_rules: Callable[..., None]
) -> None:
    Slots.tenant, Slots.user, Slots.clock = tenant, UserFactory(), database_clock
    Slots.use_rules = staticmethod(use_rules)

    run_state_machine_as_test(
        Slots,
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
