"""The row with the newest backups of a tenant always agrees with its sets."""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from backups import retention
from backups.models import BackupSet, SetPurpose, SetStatus, TenantFreshness
from operations.maintenance.integrity import check_invariants
from tenancy.models import Tenant
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.database import without_guards
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupScheduleFactory,
    BackupSetFactory,
    delete_expired,
    finish,
)

HOUR = dt.timedelta(hours=1)


def create_set(tenant: Tenant, hours_ago: int, status: SetStatus = SetStatus.COMPLETE) -> BackupSet:
    """Create a set of a schedule that started and ended this many hours ago."""
    at = timezone.now() - hours_ago * HOUR
    schedule = BackupScheduleFactory(tenant=tenant)
    return finish(BackupSetFactory(schedule=schedule, started_at=at), status, ended_at=at)


def freshness_of(tenant: Tenant) -> tuple[dt.datetime | None, str]:
    row = TenantFreshness.objects.get(tenant=tenant)
    assert row.workspace_id == tenant.workspace_id
    return row.last_complete_at, row.latest_status


def violations() -> dict[str, list[int]]:
    return {each.name: each.offenders for each in check_invariants() if each.offenders}


@pytest.mark.django_db
def test_the_end_of_a_set_is_recorded(tenant: Tenant) -> None:
    complete = create_set(tenant, 5)
    create_set(TenantFactory(workspace=tenant.workspace), 1)
    assert freshness_of(tenant) == (complete.ended_at, "complete")

    create_set(tenant, 3, SetStatus.INCOMPLETE)
    assert freshness_of(tenant) == (complete.ended_at, "incomplete")

    create_set(tenant, 4, SetStatus.FAILED)
    assert freshness_of(tenant) == (complete.ended_at, "incomplete")

    newest = create_set(tenant, 2)
    assert freshness_of(tenant) == (newest.ended_at, "complete")


@pytest.mark.django_db
def test_neither_a_selection_nor_a_set_that_is_being_built_counts(tenant: Tenant) -> None:
    complete = create_set(tenant, 5)

    BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    selection = BackupSetFactory(
        schedule=None,
        tenant=tenant,
        workspace=tenant.workspace,
        purpose=SetPurpose.SELECTION,
        name="Before the migration",
        kinds=["conditional_access"],
    )
    finish(selection)

    assert freshness_of(tenant) == (complete.ended_at, "complete")


@pytest.mark.django_db
def test_a_deleted_set_does_not_count(tenant: Tenant) -> None:
    complete = create_set(tenant, 5)
    incomplete = create_set(tenant, 3, SetStatus.INCOMPLETE)
    # A schedule keeps its last incomplete set.
    kept = BackupSetFactory(schedule=incomplete.schedule, started_at=timezone.now() - 6 * HOUR)
    finish(kept, SetStatus.INCOMPLETE)
    assert freshness_of(tenant) == (complete.ended_at, "incomplete")

    delete_expired(incomplete)

    assert freshness_of(tenant) == (complete.ended_at, "complete")


@pytest.mark.django_db
def test_the_check_of_the_ledger_finds_a_wrong_row(tenant: Tenant) -> None:
    create_set(tenant, 5)
    assert "freshness_matches_sets" not in violations()

    with without_guards("backup_sets"):
        BackupSet.objects.update(ended_at=timezone.now() - 9 * HOUR)

    assert violations()["freshness_matches_sets"] == [tenant.pk]
    with connection.cursor() as cursor:
        cursor.execute("SELECT backup_freshness_update(ARRAY[%s])", [tenant.pk])
    assert "freshness_matches_sets" not in violations()


@pytest.mark.django_db
def test_a_deleted_tenant_leaves_no_row(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT backup_freshness_update(ARRAY[%s])", [tenant.pk])
    assert freshness_of(tenant) == (None, "")

    tenant.delete()

    assert not TenantFreshness.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_row", [True, False])
def test_the_later_of_two_sets_that_end_at_once_counts(tenant: Tenant, has_row: bool) -> None:
    """The transaction that ends it began before the other one was committed."""
    if has_row:
        create_set(tenant, 9)
    older, newer = (
        BackupSetFactory(
            schedule=BackupScheduleFactory(tenant=tenant), started_at=timezone.now() - hours * HOUR
        )
        for hours in (2, 1)
    )

    def end_older() -> None:
        finish(older, ended_at=timezone.now() - 2 * HOUR)

    with racing_threads(1) as others:
        other = others.submit(backend_pid).result(timeout=60)
        with transaction.atomic():
            finish(newer, ended_at=timezone.now() - HOUR)
            ended = others.submit(end_older)
            wait_until_blocked(other, by=backend_pid())
        ended.result(timeout=60)

    newer.refresh_from_db()
    assert freshness_of(tenant) == (newer.ended_at, "complete")
    assert "freshness_matches_sets" not in violations()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_set_that_is_deleted_while_another_one_ends_does_not_count(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, retention_keep_sets=1, retention_keep_days=1)
    old = finish(BackupSetFactory(schedule=schedule), SetStatus.FAILED)
    with without_guards("backup_sets"):
        BackupSet.objects.filter(pk=old.pk).update(ended_at=timezone.now() - 99 * HOUR)
    new = BackupSetFactory(schedule=schedule)

    with racing_threads(1) as others:
        other = others.submit(backend_pid).result(timeout=60)
        with transaction.atomic():
            finish(new)
            deleted = others.submit(partial(retention.delete_set, old))
            wait_until_blocked(other, by=backend_pid())
        assert deleted.result(timeout=60)

    assert freshness_of(tenant) == (new.ended_at, "complete")
