"""Any two concurrent operations on one run leave the ledger consistent.

`test_races.py` tests single races in detail; this module runs every pair of operations.
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

from backups import services
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
from tests.support.factories.operations import build_request, create_queued_run, create_running_run

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

#: Milliseconds that the two operations wait after their common start, by round. Without them the
#: operation with fewer statements would always be first.
DELAYS = ((0, 0), (2, 0), (5, 0), (0, 2), (0, 5))
#: The reasons for which the reconciler ends a run.
LOSS_CODES = ("worker_lost", "max_runtime_exceeded", "cancel_timeout", "never_started")
OPERATIONS = (
    *("dispatch", "claim", "heartbeat", "report", "finish"),
    *("cancel", "retry", "tick"),
    *LOSS_CODES,
)
#: The operations that apply to a queued run.
QUEUED_RUN_OPERATIONS = {"dispatch", "claim", "cancel", "tick", "never_started"}
PAIRS = [
    pair
    for pair in itertools.combinations_with_replacement(OPERATIONS, 2)
    if "never_started" not in pair or set(pair) <= QUEUED_RUN_OPERATIONS
]


@pytest.fixture
def racers() -> Iterator[RacingThreads]:
    with racing_threads(2) as threads:
        yield threads


def perform(operation: str, run: OperationRun, schedule: BackupSchedule, user: User) -> Any:
    """Perform one operation on a run; return its result, or "refused"."""
    service = OperationRunService()
    tenant = run.tenant
    assert tenant
    operations: dict[str, Callable[[], Any]] = {
        "dispatch": lambda: service.ensure_run(build_request(tenant, schedule.pk)),
        "claim": lambda: service.claim(run.pk, "worker-2"),
        "heartbeat": lambda: service.heartbeat(run.pk),
        "report": lambda: service.increment_summary_counts(
            run.pk, total=1, processed=1, succeeded=1
        ),
        "finish": lambda: service.complete(run.pk, ending=Ending.FINISHED),
        "cancel": lambda: service.request_cancel(run, by=user),
        "retry": lambda: service.retry(run, by=user),
        "tick": tick,
        **dict.fromkeys(LOSS_CODES, reconcile),
    }
    try:
        return operations[operation]()
    except (RunNoLongerActive, NotRetryable):
        return "refused"


def run_after(milliseconds: int, job: Callable[[], Any]) -> Any:
    time.sleep(milliseconds / 1000)
    return job()


@pytest.fixture
def set_limits_for(
    settings: Settings, change_catalog: Callable[..., CatalogEntry]
) -> Callable[..., None]:
    """Return a function that sets time limits to zero for timestamps that cannot be changed."""

    def set_limits(pair: tuple[str, str]) -> None:
        if "cancel_timeout" in pair:
            settings.RUN_CANCEL_SECONDS = 0
        if "never_started" in pair:
            change_catalog(start_deadline=dt.timedelta(0))

    return set_limits


def create_run_for(
    pair: tuple[str, str], tenant: Tenant, schedule: int, user: User
) -> OperationRun:
    """Create a run in a state in which both operations apply, if there is such a state."""
    if {"claim", "never_started"} & set(pair):
        return create_queued_run(tenant, schedule)
    run = create_running_run(tenant, schedule)
    if "retry" in pair and not set(LOSS_CODES) & set(pair):
        return OperationRunService().complete(run.pk, ending=Ending.CANCELLED)
    if "cancel_timeout" in pair and "cancel" not in pair:
        OperationRunService().request_cancel(run, by=user)
    expire(run, pair)
    return run


def expire(run: OperationRun, pair: tuple[str, str]) -> None:
    """Set back the timestamps that the reconciler checks for this pair."""
    columns = {"worker_lost": "heartbeat_at", "max_runtime_exceeded": "started_at"}
    a_day_ago = timezone.now() - dt.timedelta(days=1)
    if expired := {columns[name]: a_day_ago for name in set(pair) & set(columns)}:
        OperationRun.objects.filter(pk=run.pk).update(**expired)


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_any_two_concurrent_operations_keep_every_invariant(
    pair: tuple[str, str],
    tenant: Tenant,
    operator: User,
    racers: RacingThreads,
    set_limits_for: Callable[..., None],
) -> None:
    set_limits_for(pair)
    for number, delays in enumerate(DELAYS):
        schedule = create_due_schedule(tenant, f"Round {number}")
        run = create_run_for(pair, tenant, schedule.pk, operator)

        results = racers.race(
            [
                partial(run_after, delay, partial(perform, name, run, schedule, operator))
                for name, delay in zip(pair, delays, strict=True)
            ]
        )

        check_ledger_after(run, list(zip(pair, results, strict=True)))
        end_round(run, schedule, operator)


def create_due_schedule(tenant: Tenant, name: str) -> BackupSchedule:
    """Create a schedule with a slot at the current minute."""
    due = timezone.now().replace(second=0, microsecond=0)
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, name=name, cron=f"{due.minute} {due.hour} * * *", due=due
    )
    return schedule


def check_ledger_after(run: OperationRun, results: list[tuple[str, Any]]) -> None:
    """Check that the results match the ledger and that every invariant is kept."""
    performed = [name for name, result in results if result != "refused"]
    claimed = [name for name, result in results if name == "claim" and result]
    was_running = not {"claim", "never_started"} & set(dict(results))
    run.refresh_from_db()
    kinds = list(run.events.values_list("kind", flat=True))
    same = OperationRun.objects.filter(run_identity_hash=run.run_identity_hash)

    assert sum(kind in ("ended", "cancelled") for kind in kinds) == (not run.is_active)
    assert kinds.count("started") == was_running + len(claimed)
    assert len(claimed) <= 1
    assert run.counts.succeeded == performed.count("report")
    assert performed.count("finish") <= 1
    assert OperationRun.objects.filter(retry_of=run).count() <= 1
    assert same.active().count() <= 1
    # A sweep skips locked rows; the next one ends them.
    reconcile()
    assert [result.name for result in check_ledger() if not result.is_kept] == []


def end_round(run: OperationRun, schedule: BackupSchedule, user: User) -> None:
    """End the schedule and the runs of a round."""
    services.pause(schedule, by=user, reason="The round is over")
    for active in OperationRun.objects.filter(run_identity_hash=run.run_identity_hash).active():
        ended = OperationRunService().request_cancel(active, by=user)
        if ended.is_running:
            OperationRunService().complete(active.pk, ending=Ending.CANCELLED)
