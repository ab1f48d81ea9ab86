"""Many ticks at once: exactly one run for every slot."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from backups.models import BackupSchedule
from backups.tick import Ticked, tick
from operations.models import OperationRun
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, utc

TICKS, SLOTS = 6, 200
SLOT = utc(2026, 3, 8, 2, 30)


def at_once(count: int, limit: int) -> list[Ticked]:
    """Let `count` ticks go off together, each on a connection of its own, until nothing is due."""
    gate = threading.Barrier(count)

    def one() -> Ticked:
        try:
            gate.wait(timeout=30)
            fired = blocked = 0
            while BackupSchedule.objects.filter(next_run_at__lte=SLOT).exists():
                done = tick(SLOT, limit=limit)
                fired, blocked = fired + done.fired, blocked + done.blocked
            return Ticked(fired=fired, blocked=blocked)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(count)]]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [7, 500])
def test_six_ticks_and_two_hundred_slots_make_two_hundred_runs(limit: int) -> None:
    tenant = TenantFactory()
    BackupScheduleFactory.create_batch(SLOTS, tenant=tenant, due=SLOT)

    done = at_once(TICKS, limit)

    assert sum(ticked.fired for ticked in done) == SLOTS
    assert sum(ticked.blocked for ticked in done) == 0
    assert OperationRun.objects.count() == SLOTS
    slots = set(OperationRun.objects.values_list("context__backup_schedule_id", flat=True))
    assert len(slots) == SLOTS
    assert not BackupSchedule.objects.filter(next_run_at__lte=SLOT).exists()
