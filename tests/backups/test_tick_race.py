"""Many concurrent ticks: exactly one run for every slot."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from backups.models import BackupSchedule
from backups.tick import TickResult, tick
from operations.models import OperationRun
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, utc

TICKS, SLOTS = 6, 200
SLOT = utc(2026, 3, 8, 2, 30)


def tick_concurrently(count: int, limit: int) -> list[TickResult]:
    """Run ticks in `count` threads at once, each with its own connection, until nothing is due."""
    barrier = threading.Barrier(count)

    def tick_until_done() -> TickResult:
        try:
            barrier.wait(timeout=60)
            started = blocked = 0
            while BackupSchedule.objects.filter(next_run_at__lte=SLOT).exists():
                result = tick(SLOT, limit=limit)
                started, blocked = started + result.started, blocked + result.blocked
            return TickResult(started=started, blocked=blocked)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(tick_until_done) for _ in range(count)]]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [7, 500])
def test_concurrent_ticks_create_one_run_per_slot(limit: int) -> None:
    tenant = TenantFactory()
    BackupScheduleFactory.create_batch(SLOTS, tenant=tenant, due=SLOT)

    results = tick_concurrently(TICKS, limit)

    assert sum(result.started for result in results) == SLOTS
    assert sum(result.blocked for result in results) == 0
    assert OperationRun.objects.count() == SLOTS
    slots = set(OperationRun.objects.values_list("context__backup_schedule_id", flat=True))
    assert len(slots) == SLOTS
    assert not BackupSchedule.objects.filter(next_run_at__lte=SLOT).exists()
