"""Contents are stored once, also with concurrent backups and retention."""

from __future__ import annotations

import datetime as dt
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction

from backups import retention, sets
from backups.models import (
    BackupItem,
    BackupSet,
    PolicyVersion,
    SetPurpose,
    SetStatus,
    VersionCandidate,
)
from backups.versions import Content, store_content
from providers.graph.kinds import KINDS
from providers.graph.policy_kind import Capture
from tenancy.db import database_now
from tests.support.concurrency import racing_threads
from tests.support.factories import TenantFactory, WorkspaceFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
)

KIND = KINDS["conditional_access"]


def content(**payload: Any) -> Content:
    return Content.of(KIND, {"id": "1", **payload})


@pytest.mark.parametrize(
    "text", ["NUL \x00 inside", "half a pair \ud83d", "\U0001f600", "</script>", "\u202egnirts"]
)
@pytest.mark.django_db
def test_any_text_can_be_stored(text: str) -> None:
    item = BackupItemFactory(missed=True)

    store_content(item, content(displayName=text, **{text: [text]}))

    item.refresh_from_db()
    assert "\x00" not in str(item.version.payload)


@pytest.mark.django_db
def test_an_item_has_the_time_at_which_it_was_read_but_none_before_its_set() -> None:
    now = database_now()
    backup_set = BackupSetFactory(started_at=now - dt.timedelta(hours=1))
    minutes_ago, long_ago = (time.monotonic() - seconds for seconds in (600, 7200))
    times = []

    for read_at in (minutes_ago, long_ago):
        item = BackupItemFactory(backup_set=backup_set, missed=True)
        sets.store(item, KIND, Capture({"id": item.graph_id}, read_at=read_at))
        item.refresh_from_db()
        times.append(item.captured_at)

    assert now - dt.timedelta(minutes=11) < times[0] <= database_now() - dt.timedelta(minutes=10)
    assert times[1] == backup_set.started_at


def test_the_order_of_keys_does_not_change_the_content() -> None:
    one = Content.of(KIND, {"id": "1", "a": 1, "b": {"c": 2, "d": 3}})
    two = Content.of(KIND, {"b": {"d": 3, "c": 2}, "a": 1, "id": "1"})

    assert one.content_hash == two.content_hash


def test_a_new_time_stamp_is_a_new_content_but_no_change() -> None:
    one, two = (content(lastModifiedDateTime=f"2026-01-0{day}T00:00:00Z") for day in (1, 2))

    assert one.content_hash != two.content_hash
    assert one.normalized_hash == two.normalized_hash


@pytest.mark.django_db
def test_a_content_is_stored_once_per_workspace() -> None:
    first, other = BackupSetFactory(), BackupSetFactory()
    items = [BackupItemFactory(backup_set=each, missed=True) for each in (first, first, other)]

    for item in items:
        store_content(item, content())
        item.refresh_from_db()

    assert items[0].version_id == items[1].version_id != items[2].version_id


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_storing_and_deleting_loses_no_content() -> None:
    """Eight backups store the same few contents while retention deletes unreferenced ones."""
    backup_set, done = BackupSetFactory(), threading.Event()

    def store(writer: int) -> None:
        try:
            for number in range(40):
                item = BackupItemFactory(
                    backup_set=backup_set, graph_id=f"{writer}/{number}", missed=True
                )
                store_content(item, content(displayName=str(number % 5)))
                if number % 3:
                    BackupItem.objects.filter(pk=item.pk).update(version=None)
        finally:
            connections.close_all()

    def delete_unreferenced() -> int:
        deleted = 0
        try:
            while not done.is_set():
                deleted += retention.delete_unreferenced_versions(backup_set.workspace_id)
        finally:
            connections.close_all()
        return deleted

    with ThreadPoolExecutor(9) as pool:
        cleaner = pool.submit(delete_unreferenced)
        writers = [pool.submit(store, writer) for writer in range(8)]
        try:
            for writer in writers:
                writer.result(timeout=300)
        finally:
            done.set()
        cleaner.result(timeout=60)

    assert BackupItem.objects.filter(version__isnull=False).count() == 8 * 14
    assert PolicyVersion.objects.count() <= 5


def set_with_version(version: PolicyVersion) -> BackupSet:
    """Return a finished selection whose only item has this content."""
    tenant = TenantFactory(workspace=version.workspace)
    backup_set = BackupSet.objects.create(
        workspace=tenant.workspace,
        tenant=tenant,
        purpose=SetPurpose.SELECTION,
        name="Selection",
        kinds=["conditional_access"],
        listed_kinds=["conditional_access"],
    )
    BackupItemFactory(backup_set=backup_set, version=version)
    return finish(backup_set, SetStatus.COMPLETE)


@pytest.mark.django_db
def test_a_content_that_a_set_refers_to_is_checked_once() -> None:
    item = BackupItemFactory()
    workspace_id = item.backup_set.workspace_id

    assert retention.delete_unreferenced_versions(workspace_id) == 0

    assert PolicyVersion.objects.filter(pk=item.version_id).exists()
    assert not VersionCandidate.objects.exists()


@pytest.mark.django_db
def test_only_a_content_without_another_reference_is_checked_after_a_deletion() -> None:
    version = PolicyVersionFactory(workspace=WorkspaceFactory())
    first, second = set_with_version(version), set_with_version(version)
    VersionCandidate.objects.all().delete()

    assert retention.delete_set(first)
    assert not VersionCandidate.objects.exists()

    assert retention.delete_set(second)
    assert retention.delete_unreferenced_versions(version.workspace_id) == 1


@pytest.mark.django_db
def test_a_content_that_an_item_no_longer_has_is_deleted() -> None:
    item = BackupItemFactory(complete=False, reason_code="incomplete_capture")
    workspace_id, old_version = item.backup_set.workspace_id, item.version_id
    retention.delete_unreferenced_versions(workspace_id)
    BackupItem.objects.filter(pk=item.pk).update(
        version=PolicyVersionFactory(workspace=item.backup_set.workspace)
    )

    assert retention.delete_unreferenced_versions(workspace_id) == 1

    assert not PolicyVersion.objects.filter(pk=old_version).exists()


@pytest.mark.django_db
def test_only_the_contents_that_lost_a_reference_are_read() -> None:
    """A workspace has hundreds of thousands of contents, and each backup deletes some."""
    old = set_with_version(PolicyVersionFactory(workspace=WorkspaceFactory()))
    kept = BackupSetFactory(schedule=BackupScheduleFactory(tenant=old.tenant))
    hashes = [f"{number:064x}" for number in range(3_000)]
    versions = PolicyVersion.objects.bulk_create(
        PolicyVersion(
            workspace=old.workspace, content_hash=hash_, normalized_hash=hash_, payload={}, size=2
        )
        for hash_ in hashes
    )
    BackupItem.objects.bulk_create(
        BackupItem(
            workspace=old.workspace,
            tenant=old.tenant,
            backup_set=kept,
            kind="compliance",
            graph_id=f"{version.pk}",
            name="Policy",
            version=version,
            complete=True,
            captured_at=kept.started_at,
        )
        for version in versions
    )
    retention.delete_unreferenced_versions(old.workspace_id)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE policy_versions, backup_items, policy_version_candidates")
    assert retention.delete_set(old)
    before = rows_read("policy_versions")

    assert retention.delete_unreferenced_versions(old.workspace_id) == 1

    assert rows_read("policy_versions") - before < 20


def rows_read(table: str) -> int:
    """Return how many rows of a table this transaction has read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = %s",
            [table],
        )
        return int(cursor.fetchone()[0])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_content_whose_last_two_sets_are_deleted_at_once_is_deleted() -> None:
    """Neither transaction sees that the other one removes the reference that it leaves."""
    version = PolicyVersionFactory(workspace=WorkspaceFactory())
    first, second = set_with_version(version), set_with_version(version)
    clean = functools.partial(retention.delete_unreferenced_versions, version.workspace_id)
    clean()

    with racing_threads(1) as others:
        with transaction.atomic():
            assert retention.delete_set(first)
            others.submit(functools.partial(retention.delete_set, second)).result(timeout=60)
            assert others.submit(clean).result(timeout=60) == 0
            assert clean() == 1

    assert not PolicyVersion.objects.filter(pk=version.pk).exists()
    assert not VersionCandidate.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_is_rolled_back_hides_no_reference() -> None:
    """The other deletion counts on the reference that it could not see to be marked."""
    version = PolicyVersionFactory(workspace=WorkspaceFactory())
    first, second = set_with_version(version), set_with_version(version)
    clean = functools.partial(retention.delete_unreferenced_versions, version.workspace_id)
    clean()

    with racing_threads(1) as others, transaction.atomic():
        assert retention.delete_set(first)
        others.submit(functools.partial(retention.delete_set, second)).result(timeout=60)
        transaction.set_rollback(True)

    assert clean() == 0
    assert not VersionCandidate.objects.exists()
    assert retention.delete_set(first)
    assert clean() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_reference_that_counted_makes_a_candidate_when_it_is_removed() -> None:
    version = PolicyVersionFactory(workspace=WorkspaceFactory())
    first, second = set_with_version(version), set_with_version(version)
    clean = functools.partial(retention.delete_unreferenced_versions, version.workspace_id)

    with racing_threads(1) as others, transaction.atomic():
        assert retention.delete_set(first)
        assert clean() == 0
        others.submit(functools.partial(retention.delete_set, second)).result(timeout=60)

    assert clean() == 1
    assert not VersionCandidate.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_reference_with_the_mark_of_an_ended_transaction_counts() -> None:
    version = PolicyVersionFactory(workspace=WorkspaceFactory())
    backup_set = set_with_version(version)
    with transaction.atomic():
        assert retention.delete_set(backup_set)
        transaction.set_rollback(True)

    assert retention.delete_unreferenced_versions(version.workspace_id) == 0
    assert not VersionCandidate.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_content_that_a_backup_is_about_to_use_stays_a_candidate() -> None:
    version = PolicyVersionFactory(workspace=WorkspaceFactory())
    clean = functools.partial(retention.delete_unreferenced_versions, version.workspace_id)

    with racing_threads(1) as others:
        with transaction.atomic():
            PolicyVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
            assert others.submit(clean).result(timeout=60) == 0

        assert VersionCandidate.objects.count() == 1
        assert clean() == 1
