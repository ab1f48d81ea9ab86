"""Backups that share items while others are deleted, and an earlier version after that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from backups import retention, sets
from backups.models import BackupItem, BackupSet
from tenancy.models import Tenant
from tests.support.concurrency import racing_threads
from tests.support.database import without_guards
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    delete_expired,
    finish,
    share_items,
)
from tests.support.stack import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def items_of(backup_set: BackupSet) -> set[int]:
    return set(backup_set.items.values_list("pk", flat=True))


@pytest.fixture
def nights(tenant: Tenant) -> Callable[[], BackupSet]:
    """Create a set of one schedule that keeps nothing old, such as that of a night."""
    schedule = BackupScheduleFactory(tenant=tenant, retention_keep_sets=1, retention_keep_days=1)
    return lambda: BackupSetFactory(schedule=schedule)


@pytest.mark.race
@pytest.mark.parametrize("shares_first", [True, False])
def test_a_set_never_shares_an_item_that_is_being_deleted(
    nights: Callable[[], BackupSet], shares_first: bool
) -> None:
    old, new = nights(), nights()
    item = BackupItemFactory(backup_set=old)
    finish(old)
    finish(nights())
    with without_guards("backup_sets"):
        BackupSet.objects.filter(pk=old.pk).update(ended_at=timezone.now() - dt.timedelta(days=9))

    def try_to_share() -> bool:
        try:
            share_items(new, item)
        except DatabaseError:
            return False
        return True

    jobs: list[Callable[[], bool]] = [try_to_share, lambda: retention.delete_set(old)]
    first, second = jobs if shares_first else reversed(jobs)
    with racing_threads(2) as threads:
        with transaction.atomic():
            assert first()
            waiting = threads.submit(second)
            eventually(lambda: waiting.done() or is_waiting_for_a_lock())
        is_second_done = waiting.result(timeout=60)

    assert is_second_done is shares_first
    assert not BackupSet.objects.filter(pk=old.pk).exists()
    assert items_of(new) == ({item.pk} if shares_first else set())
    assert BackupItem.objects.count() == len(items_of(new))


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.race
def test_two_backups_and_a_deletion_at_once_lose_nothing(tenant: Tenant) -> None:
    schedules = [
        BackupScheduleFactory(tenant=tenant, retention_keep_sets=1, retention_keep_days=1)
        for _ in range(2)
    ]
    old = BackupSetFactory(schedule=schedules[0])
    items = [BackupItemFactory(backup_set=old) for _ in range(40)]
    finish(old)
    last = BackupSetFactory(schedule=schedules[0])
    finish(last)
    with without_guards("backup_sets"):
        BackupSet.objects.filter(pk=old.pk).update(ended_at=timezone.now() - dt.timedelta(days=9))
    building = [BackupSetFactory(schedule=each) for each in schedules]

    def back_up(backup_set: BackupSet) -> None:
        for first in range(0, 40, 4):
            try:
                share_items(backup_set, *items[first : first + 4])
            except DatabaseError:
                break  # They are deleted: a backup reads them again.
        sets.finish(backup_set)

    with racing_threads(3) as threads:
        jobs: list[Callable[[], Any]] = [partial(back_up, each) for each in building]
        threads.race([*jobs, lambda: retention.delete_set(old)])

    contained = [items_of(BackupSet.objects.get(pk=each.pk)) for each in building]
    assert set(BackupItem.objects.values_list("pk", flat=True)) == contained[0] | contained[1]
    for backup_set, ids in zip(building, contained, strict=True):
        backup_set.refresh_from_db()
        assert backup_set.item_count == len(ids)


@pytest.fixture
def latest_version() -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.usefixtures("latest_version")
def test_an_earlier_version_has_a_copy_of_each_shared_item(
    nights: Callable[[], BackupSet],
) -> None:
    first, second, third = (nights() for _ in range(3))
    item = BackupItemFactory(backup_set=first)
    finish(first)
    for backup_set in (second, third):
        share_items(backup_set, item, is_read=True)
        finish(backup_set)
    delete_expired(first)

    MigrationExecutor(connection).migrate([("backups", "0021_fewer_item_indexes")])

    with connection.cursor() as cursor:
        cursor.execute("SELECT set_id, graph_id, version_id FROM backup_items ORDER BY set_id")
        rows = cursor.fetchall()
    assert rows == [(each.pk, item.graph_id, item.version_id) for each in (second, third)]
