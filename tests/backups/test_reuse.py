"""Objects that their list shows to be unchanged are not read again; all others are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from backups import reuse
from backups.models import BackupItem, BackupSchedule
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from providers.graph.kinds import KIND
from tenancy.models import User
from tests.support.database import without_guards
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sessions import open_session

BackUp = Callable[[BackupSchedule], OperationRun]


def entry_of(**values: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "displayName": "A",
        "lastModifiedDateTime": "2026-01-01T10:00:00Z",
        "assignments": [{"id": "a", "target": {"groupId": "g"}}],
        **values,
    }


def read_ids(graph: SandboxControl, schedule: BackupSchedule) -> set[str]:
    """The ids of the objects that were read separately since the log was cleared."""
    lists = {kind.list_path for kind in KIND.values()}
    paths = {str(each["path"]) for each in graph.log(schedule.tenant.external_id)} - lists
    parts = [path.split("/") for path in paths]
    return {part[4] for part in parts if part[1] == "beta" and len(part) > 4}


def first_of(graph: SandboxControl, schedule: BackupSchedule, kind: str) -> dict[str, Any]:
    return graph.objects(schedule.tenant.external_id, kind)[0]


def reused(run: OperationRun) -> dict[str, BackupItem]:
    return {item.graph_id: item for item in run.backup_set.items.reused_in(run.backup_set)}


@pytest.fixture
def put(graph: SandboxControl, schedule: BackupSchedule) -> Callable[..., str]:
    """Change the first object of a kind; returns its id."""

    def change(kind: str, **values: Any) -> str:
        entry = {**first_of(graph, schedule, kind), **values}
        return graph.put_object(schedule.tenant.external_id, kind, entry)

    return change


def test_an_unchanged_tenant_is_listed_and_not_read(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    first = back_up(schedule)
    graph.clear_log()

    second = back_up(schedule)

    assert read_ids(graph, schedule) == set()
    assert second.backup_set.is_complete
    assert (second.counts.succeeded, second.counts.unchanged) == (7, 7)
    columns = ("kind", "graph_id", "name", "version_id", "complete", "missing", "reason_code",
               "last_modified_at", "listed_hash")  # fmt: skip
    items = [list(run.backup_set.items.values_list(*columns)) for run in (first, second)]
    assert items[0] == items[1]
    assert [run.items.count() for run in (first, second)] == [7, 0]
    kinds = {item.kind for item in reused(second).values()}
    assert kinds == {"settings_catalog", "compliance"}
    assert reused(first) == {}
    notes = second.events.filter(kind="note").values_list("message", flat=True)
    assert any("5 of 7 objects have not changed" in note for note in notes)


def test_the_page_of_a_set_says_what_was_reused(
    schedule: BackupSchedule, back_up: BackUp, operator: User
) -> None:
    first, second = back_up(schedule), back_up(schedule)
    client = open_session(Client(), operator)

    pages = [
        client.get(run.backup_set.get_absolute_url()).content.decode() for run in (first, second)
    ]

    assert [page.count("for an earlier set") for page in pages] == [0, 5]
    assert ["0 items of earlier sets" in pages[0], "5 items of earlier sets" in pages[1]] == [
        True
    ] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"lastModifiedDateTime": "2026-02-01T10:00:00Z"},
        {"lastModifiedDateTime": "2001-02-01T10:00:00Z"},
        {"assignments": []},
        {"@odata.etag": 'W/"2"'},
        {"description": "Changed without a new time"},
    ],
    ids=["later", "earlier", "assignments", "etag", "other property"],
)
def test_an_object_whose_list_entry_changed_is_read_again(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl, put: Any, change: Any
) -> None:
    back_up(schedule)
    changed = put("compliance", **change)
    graph.clear_log()

    second = back_up(schedule)

    assert read_ids(graph, schedule) == {changed}
    assert second.backup_set.is_complete
    assert changed not in reused(second)
    assert len(reused(second)) == 4


@pytest.mark.parametrize(
    "modified",
    [None, "", "yesterday", dt.timedelta(days=2), dt.timedelta()],
    ids=["null", "empty", "text", "in the future", "just now"],
)
def test_a_time_that_proves_nothing_lets_the_object_be_read_again(
    schedule: BackupSchedule, back_up: BackUp, put: Any, modified: Any
) -> None:
    if isinstance(modified, dt.timedelta):
        # The time of this test: it can be collected half an hour earlier.
        modified = f"{dt.datetime.now(dt.UTC) + modified:%Y-%m-%dT%H:%M:%SZ}"
    doubtful = put("compliance", lastModifiedDateTime=modified)
    back_up(schedule)

    second = back_up(schedule)

    assert second.backup_set.is_complete
    assert doubtful not in reused(second)
    assert len(reused(second)) == 4


def test_everything_is_read_again_after_the_days_of_the_setting(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    back_up(schedule)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE backup_items DISABLE TRIGGER USER")
        cursor.execute("UPDATE backup_items SET captured_at = captured_at - interval '6.6 days'")
        cursor.execute("ALTER TABLE backup_items ENABLE TRIGGER USER")

    assert reused(back_up(schedule)) == {}
    assert len(reused(back_up(schedule))) == 5


def test_the_setting_can_disable_it(
    schedule: BackupSchedule, back_up: BackUp, settings: Settings
) -> None:
    settings.BACKUP_FULL_READ_DAYS = 0
    back_up(schedule)

    assert reused(back_up(schedule)) == {}


def test_a_reused_content_does_not_become_younger(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    runs = [back_up(schedule) for _ in range(3)]

    times = [
        run.backup_set.items.filter(kind="compliance")
        .order_by("graph_id")
        .values_list("captured_at")
        for run in runs
    ]
    assert list(times[0]) == list(times[1]) == list(times[2])


def test_a_hash_of_an_earlier_version_is_a_proof(schedule: BackupSchedule, back_up: BackUp) -> None:
    back_up(schedule)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE backup_items SET listed_hash = listed_hash || repeat('0', 32)"
            " WHERE listed_hash <> ''"
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    second = back_up(schedule)

    assert len(reused(second)) == 5


def test_an_object_whose_item_has_just_been_deleted_is_read_again(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    first = back_up(schedule)
    deleted = first.backup_set.items.filter(kind="compliance").first()
    assert deleted

    def delete_before_it_is_shared(execute: Any, sql: str, params: Any, *others: Any) -> Any:
        if sql.startswith('INSERT INTO "backup_shared_items"'):
            with without_guards("backup_items") as cursor:
                cursor.execute("DELETE FROM backup_items WHERE id = %s", [deleted.pk])
        return execute(sql, params, *others)

    with connection.execute_wrapper(delete_before_it_is_shared):
        second = back_up(schedule)

    assert second.backup_set.is_complete
    assert second.backup_set.item_count == 7
    assert deleted.graph_id not in reused(second)


def test_an_incomplete_content_is_not_reused(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "short_settings")
    back_up(schedule)
    graph.clear()

    second = back_up(schedule)

    assert second.backup_set.is_complete
    assert {item.kind for item in reused(second).values()} == {"compliance"}


def test_the_content_of_another_tenant_is_not_reused(
    schedule: BackupSchedule, back_up: BackUp, add_to_graph: Any
) -> None:
    other = TenantFactory(workspace=schedule.workspace)
    add_to_graph(other)
    other_schedule = BackupScheduleFactory(tenant=other, kinds=schedule.kinds)
    back_up(schedule)

    assert reused(back_up(other_schedule)) == {}


def test_a_list_that_contains_an_object_twice_is_not_complete(
    schedule: BackupSchedule, back_up: BackUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(KIND["compliance"])
    list_objects = kind.list_objects

    def twice(self: Any, client: Any, *left_out: Any) -> Any:
        entries = list(list_objects(self, client, *left_out))
        return iter([*entries, *entries[:1]] if self.key == "compliance" else entries)

    monkeypatch.setattr(kind, "list_objects", twice)

    run = back_up(schedule)

    assert not run.backup_set.is_complete
    assert run.backup_set.unlisted == {"compliance": "listing_repeats"}
    assert run.backup_set.item_count == 7


def test_the_hash_ignores_the_order_of_assignments_and_ids() -> None:
    kind = KIND["compliance"]
    targets = [{"id": key, "target": {"groupId": key}} for key in "ab"]

    first = reuse.listed_hash(kind, entry_of(assignments=targets))
    second = reuse.listed_hash(kind, entry_of(assignments=targets[::-1]))

    assert first == second != ""


@pytest.mark.parametrize(
    "entry",
    [
        entry_of(lastModifiedDateTime="never"),
        entry_of(assignments=None),
        {**entry_of(), "assignments@odata.nextLink": "https://graph.example.com/next"},
    ],
)
def test_a_list_that_does_not_show_each_change_is_no_proof(entry: dict[str, Any]) -> None:
    assert reuse.listed_hash(KIND["compliance"], entry) == ""


def test_kinds_whose_list_is_the_content_are_never_reused() -> None:
    assert reuse.listed_hash(KIND["conditional_access"], entry_of()) == ""


def test_encrypted_values_that_are_read_are_read_each_time() -> None:
    kind = KIND["device_configuration"]
    entry = entry_of(omaSettings=[{"value": "****", "isEncrypted": True}])

    assert reuse.listed_hash(kind, entry) != ""
    assert reuse.listed_hash(kind, entry, reads_encrypted_values=True) == ""
