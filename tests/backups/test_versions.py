"""Contents are stored once, also with concurrent backups and retention."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from backups import retention
from backups.models import BackupItem, PolicyVersion
from backups.versions import Content, ensure_version
from providers.graph.kinds import KINDS
from tests.support.factories import WorkspaceFactory
from tests.support.factories.backups import BackupItemFactory, BackupSetFactory

KIND = KINDS["conditional_access"]


def content(**payload: Any) -> Content:
    return Content.of(KIND, {"id": "1", **payload})


@pytest.mark.parametrize(
    "text", ["NUL \x00 inside", "half a pair \ud83d", "\U0001f600", "</script>", "\u202egnirts"]
)
@pytest.mark.django_db
def test_any_text_can_be_stored(text: str) -> None:
    workspace = WorkspaceFactory()

    version_id = ensure_version(workspace.pk, content(displayName=text, **{text: [text]}))

    stored = PolicyVersion.objects.get(pk=version_id)
    assert "\x00" not in str(stored.payload)


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
    first, second = WorkspaceFactory(), WorkspaceFactory()

    ids = [ensure_version(place.pk, content()) for place in (first, first, second)]

    assert ids[0] == ids[1] != ids[2]


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
                with transaction.atomic():
                    version = ensure_version(
                        backup_set.workspace_id, content(displayName=str(number % 5))
                    )
                    BackupItem.objects.filter(pk=item.pk).update(version=version)
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
                writer.result(timeout=60)
        finally:
            done.set()
        cleaner.result(timeout=60)

    assert BackupItem.objects.filter(version__isnull=False).count() == 8 * 14
    assert PolicyVersion.objects.count() <= 5
