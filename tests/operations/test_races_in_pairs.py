"""Any two things that happen to one run at the same moment: each is done, refused, or told as done.

`test_races.py` looks closely at single races; here every pair of operations has its turn.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from backups.models import BackupSchedule
from backups.tick import tick
from operations.catalog import CatalogEntry
from operations.maintenance.integrity import check_ledger
from operations.maintenance.reconciler import reconcile
from operations.models import OperationRun
from operations.services import NotRetryable, OperationRunService, RunNoLongerActive
from operations.states import Ending
from tenancy.models import Tenant, User
from tests.support.concurrency import RacingThreads, racing_threads
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.operations import a_queued_run, a_request, a_running_run

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

#: Milliseconds that the two wait after their common start, by round: what needs fewer statements
#: would win every time.
DELAYS = ((0, 0), (2, 0), (5, 0), (0, 2), (0, 5))
#: For what the reconciler ends a run.
LOST = ("worker_lost", "max_runtime_exceeded", "cancel_timeout", "never_started")
OPERATIONS = (
    *("dispatch", "claim", "heartbeat", "report", "finish"),
    *("cancel", "retry", "tick"),
    *LOST,
)
#: What has something to do with a run that waits for its worker.
OF_A_QUEUED_RUN = {"dispatch", "claim", "cancel", "tick", "never_started"}
PAIRS = [
    pair
    for pair in itertools.combinations_with_replacement(OPERATIONS, 2)
    if "never_started" not in pair or set(pair) <= OF_A_QUEUED_RUN
]


@pytest.fixture
def racers() -> Iterator[RacingThreads]:
    with racing_threads(2) as both:
        yield both


def do(operation: str, run: OperationRun, schedule: BackupSchedule, person: User) -> Any:
    """One operation on a run; what came of it, "refused" where that is the answer."""
    service = OperationRunService()
    tenant = run.tenant
    assert tenant
    doing: dict[str, Callable[[], Any]] = {
        "dispatch": lambda: service.ensure_run(a_request(tenant, schedule.pk)),
        "claim": lambda: service.claim(run.pk, "worker-2"),
        "heartbeat": lambda: service.heartbeat(run.pk),
        "report": lambda: service.increment_summary_counts(
            run.pk, total=1, processed=1, succeeded=1
        ),
        "finish": lambda: service.complete(run.pk, ending=Ending.FINISHED),
        "cancel": lambda: service.request_cancel(run, by=person),
        "retry": lambda: service.retry(run, by=person),
        "tick": tick,
        **dict.fromkeys(LOST, reconcile),
    }
    try:
        return doing[operation]()
    except (RunNoLongerActive, NotRetryable):
        return "refused"


def after(milliseconds: int, job: Callable[[], Any]) -> Any:
    time.sleep(milliseconds / 1000)
    return job()


@pytest.fixture
def impatient(
    settings: Settings, change_catalog: Callable[..., CatalogEntry]
) -> Callable[..., None]:
    """Leave no time to what a pair is about: these times are written once, and cannot be set back."""

    def set_limits(pair: tuple[str, str]) -> None:
        if "cancel_timeout" in pair:
            settings.RUN_CANCEL_SECONDS = 0
        if "never_started" in pair:
            change_catalog(start_deadline=dt.timedelta(0))

    return set_limits


def a_run_to_fight_over(
    pair: tuple[str, str], tenant: Tenant, schedule: int, person: User
) -> OperationRun:
    """In the state in which both operations have something to do, as far as there is one."""
    if {"claim", "never_started"} & set(pair):
        return a_queued_run(tenant, schedule)
    run = a_running_run(tenant, schedule)
    if "retry" in pair and not set(LOST) & set(pair):
        return OperationRunService().complete(run.pk, ending=Ending.CANCELLED)
    if "cancel_timeout" in pair and "cancel" not in pair:
        OperationRunService().request_cancel(run, by=person)
    set_back(run, pair)
    return run


def set_back(run: OperationRun, pair: tuple[str, str]) -> None:
    """Let a running run be lost in the way that the pair is about."""
    columns = {"worker_lost": "heartbeat_at", "max_runtime_exceeded": "started_at"}
    a_day_ago = timezone.now() - dt.timedelta(days=1)
    if lost := {columns[name]: a_day_ago for name in set(pair) & set(columns)}:
        OperationRun.objects.filter(pk=run.pk).update(**lost)


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_any_two_at_once_leave_the_ledger_whole(
    pair: tuple[str, str],
    tenant: Tenant,
    operator: User,
    racers: RacingThreads,
    impatient: Callable[..., None],
) -> None:
    impatient(pair)
    for number, delays in enumerate(DELAYS):
        schedule = a_due_schedule(tenant, f"Round {number}")
        run = a_run_to_fight_over(pair, tenant, schedule.pk, operator)

        said = racers.race(
            [
                partial(after, delay, partial(do, name, run, schedule, operator))
                for name, delay in zip(pair, delays, strict=True)
            ]
        )

        check(run, list(zip(pair, said, strict=True)))
        let_go(run, schedule, operator)


def a_due_schedule(tenant: Tenant, name: str) -> BackupSchedule:
    """A schedule whose slot has just come."""
    due = timezone.now().replace(second=0, microsecond=0)
    made: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, name=name, cron=f"{due.minute} {due.hour} * * *", due=due
    )
    return made


def check(run: OperationRun, said: list[tuple[str, Any]]) -> None:
    """What was answered is what has happened, and every invariant is kept."""
    done = [name for name, answer in said if answer != "refused"]
    claimed = [name for name, answer in said if name == "claim" and answer]
    was_running = not {"claim", "never_started"} & set(dict(said))
    run.refresh_from_db()
    kinds = list(run.events.values_list("kind", flat=True))
    same = OperationRun.objects.filter(run_identity_hash=run.run_identity_hash)

    assert sum(kind in ("ended", "cancelled") for kind in kinds) == (not run.is_active)
    assert kinds.count("started") == was_running + len(claimed)
    assert len(claimed) <= 1
    assert run.counts.succeeded == done.count("report")
    assert done.count("finish") <= 1
    assert OperationRun.objects.filter(retry_of=run).count() <= 1
    assert same.active().count() <= 1
    # What one sweep has passed over, because somebody held its row, is the next one's.
    reconcile()
    assert [result.name for result in check_ledger() if not result.is_kept] == []


def let_go(run: OperationRun, schedule: BackupSchedule, person: User) -> None:
    """Leave nothing to the next round."""
    BackupSchedule.objects.filter(pk=schedule.pk).update(
        paused_at=timezone.now(), pause_reason="Its round is over", next_run_at=None
    )
    for left in OperationRun.objects.filter(run_identity_hash=run.run_identity_hash).active():
        ended = OperationRunService().request_cancel(left, by=person)
        if ended.is_running:
            OperationRunService().complete(left.pk, ending=Ending.CANCELLED)
