"""A tick and a change of the same schedule at the same time: the slot runs once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from backups import services
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from backups.tick import tick
from operations.models import OperationRun
from tenancy.db import database_now
from tenancy.models import User
from tests.support.factories import TenantFactory, UserFactory
from tests.support.factories.backups import BackupScheduleFactory

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

ROUNDS = 20
MINUTE = dt.timedelta(minutes=1)


def at_once(*actions: Callable[[], object]) -> None:
    """Run the actions in threads that start together, each with its own connection."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=60)
            action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(run, action) for action in actions]:
            future.result()


def edit(schedule: BackupSchedule, user: User) -> None:
    stored = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
    stored.cron = "30 4 * * 1"
    services.save(stored, by=user)


@pytest.mark.parametrize("changes", [1, 2])
def test_a_slot_runs_once_beside_ticks_and_changes(changes: int) -> None:
    user = UserFactory()
    for _ in range(ROUNDS):
        slot = database_now().replace(second=0, microsecond=0) - MINUTE
        schedule = BackupScheduleFactory(
            tenant=TenantFactory(), cron=f"{slot.minute} {slot.hour} * * *", due=slot
        )
        users = [
            lambda schedule=schedule: edit(schedule, user),
            lambda schedule=schedule: services.pause(schedule, by=user),
        ]

        at_once(tick, tick, *users[:changes])

        (run,) = OperationRun.objects.filter(context__backup_schedule_id=schedule.pk)
        assert run.is_active
        assert run.context["scheduled_for"] == f"{slot:%Y-%m-%dT%H:%MZ}"
        assert schedule.revisions.filter(valid_until=None).count() == 2 - changes
    assert unexplained_schedules() == []
