"""The migration of schedules of an earlier version: nothing is fired twice, and history begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from backups.slots import rules_version
from backups.tick import tick_all
from operations.models import OperationRun
from tenancy.db import database_now
from tenancy.models import Tenant
from tests.support.factories.backups import BackupScheduleFactory

pytestmark = pytest.mark.django_db(transaction=True)

EARLIER = ("backups", "0002_guards")


def migrate_to_latest() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())  # of every app


@pytest.fixture
def earlier_version() -> Iterator[None]:
    yield
    migrate_to_latest()


@pytest.mark.long
@pytest.mark.usefixtures("earlier_version")
def test_schedules_of_an_earlier_version_continue(tenant: Tenant) -> None:
    slot = database_now().replace(second=0, microsecond=0) - dt.timedelta(minutes=5)
    active = BackupScheduleFactory(tenant=tenant, cron=f"{slot.minute} * * * *", due=slot)
    paused = BackupScheduleFactory(tenant=tenant, paused=True)
    tick_all()
    next_run_at = BackupSchedule.objects.get(pk=active.pk).next_run_at
    runs = OperationRun.objects.count()

    MigrationExecutor(connection).migrate([EARLIER])
    migrate_to_latest()

    active.refresh_from_db()
    assert active.next_run_at == next_run_at
    assert active.settled_until < database_now()
    (revision,) = active.revisions.all()
    assert (revision.reason, revision.valid_from) == ("upgraded", active.settled_until)
    assert paused.revisions.count() == 0
    tick_all()
    active.refresh_from_db()
    assert active.rules_version == rules_version()
    assert active.revisions.count() == 1
    assert OperationRun.objects.count() == runs
    assert unexplained_schedules() == []
