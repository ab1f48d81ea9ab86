"""What a finished set records: its counts, and the changes of the feed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from backups import retention
from backups.models import AuthorGap, BackupSchedule, BackupSet, PolicyChange, SetStatus
from backups.recording import record_changes, record_missing
from backups.tasks import record_missing_changes
from dev.graph_sandbox.control import SandboxControl
from operations.database_roles import create_or_update_role, grant_application_privileges
from operations.models import OperationRun
from tenancy.models import Tenant, Workspace
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def nightly(tenant: Tenant) -> BackupSchedule:
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant)
    return schedule


def make_set(schedule: BackupSchedule, hours_ago: int, **states: str | None) -> BackupSet:
    """Make a set whose items have these states; None for an item that was not read."""
    at = timezone.now() - dt.timedelta(hours=hours_ago)
    backup_set = BackupSetFactory(schedule=schedule, started_at=at)
    for name, state in states.items():
        if state is None:
            BackupItemFactory(backup_set=backup_set, name=name, graph_id=name, missed=True)
            continue
        payload = {"id": name, "displayName": name, "state": state}
        version = PolicyVersionFactory(workspace=backup_set.workspace, payload=payload)
        BackupItemFactory(backup_set=backup_set, name=name, graph_id=name, version=version)
    status = SetStatus.INCOMPLETE if None in states.values() else SetStatus.COMPLETE
    return finish(backup_set, status, ended_at=at + dt.timedelta(minutes=1))


def recorded(schedule: BackupSchedule, hours_ago: int, **states: str | None) -> BackupSet:
    backup_set = make_set(schedule, hours_ago, **states)
    record_changes(backup_set)
    backup_set.refresh_from_db()
    return backup_set


def counts(backup_set: BackupSet) -> tuple[int | None, int | None, int | None]:
    return backup_set.created_count, backup_set.changed_count, backup_set.removed_count


def feed(tenant: Tenant) -> list[tuple[str, str]]:
    changes = PolicyChange.objects.filter(tenant=tenant).order_by("created_at", "id")
    return [(change.change, change.name) for change in changes]


def test_a_set_stores_what_was_created_changed_and_removed(nightly: BackupSchedule) -> None:
    first = recorded(nightly, 2, same="on", other="on", gone="on")

    second = recorded(nightly, 1, same="on", other="off", new="on")

    assert (first.compared_at is not None, counts(first)) == (True, (None, None, None))
    assert (counts(second), second.compared_with) == ((1, 1, 1), first)
    assert feed(nightly.tenant) == [("removed", "gone"), ("created", "new"), ("changed", "other")]
    change = PolicyChange.objects.get(change="changed")
    assert (change.fields, change.field_count) == (["state"], 1)
    assert (change.author, change.author_gap) == ("", AuthorGap.NOT_READ)
    assert change.created_at == second.ended_at


def test_a_change_is_recorded_once_however_many_sets_contain_it(nightly: BackupSchedule) -> None:
    """An incomplete set is no basis, so the next one finds the same changes again."""
    weekly = BackupScheduleFactory(tenant=nightly.tenant)
    recorded(weekly, 9, a="on")
    recorded(nightly, 8, a="on", b="on")
    incomplete = recorded(nightly, 7, a="off", b=None)

    repeated = recorded(nightly, 6, a="off", b="on")
    other_schedule = recorded(weekly, 5, a="off")
    recorded(nightly, 4, a="on", b="on")
    recorded(nightly, 3, a="off", b="on")
    recorded(nightly, 2, a="off")
    recorded(nightly, 1, a="off", b="on")

    assert [counts(each) for each in (incomplete, repeated, other_schedule)] == [(0, 1, 0)] * 3
    assert feed(nightly.tenant) == [
        ("changed", "a"), ("changed", "a"), ("changed", "a"), ("removed", "b"), ("created", "b"),
    ]  # fmt: skip


def test_a_tenant_without_a_complete_set_is_compared_by_the_kinds_that_can_be_read(
    nightly: BackupSchedule,
) -> None:
    for hours_ago, state in ((2, "on"), (1, "off")):
        backup_set = BackupSetFactory(
            schedule=nightly,
            started_at=timezone.now() - dt.timedelta(hours=hours_ago),
            listed_kinds=["conditional_access"],
            unlisted={"settings_catalog": "permission_missing"},
        )
        version = PolicyVersionFactory(workspace=nightly.workspace, payload={"state": state})
        BackupItemFactory(backup_set=backup_set, graph_id="a", version=version)
        record_changes(finish(backup_set, SetStatus.INCOMPLETE))
    backup_set.refresh_from_db()

    assert counts(backup_set) == (0, 1, 0)


def test_a_failed_set_is_not_compared(nightly: BackupSchedule) -> None:
    recorded(nightly, 2, a="on")
    failed = finish(BackupSetFactory(schedule=nightly, listed_kinds=[]), SetStatus.FAILED)

    record_changes(failed)
    failed.refresh_from_db()

    assert (failed.compared_at is not None, counts(failed)) == (True, (None, None, None))


def test_the_number_of_listed_fields_is_limited(nightly: BackupSchedule) -> None:
    for hours_ago, value in ((2, "on"), (1, "off")):
        backup_set = BackupSetFactory(
            schedule=nightly, started_at=timezone.now() - dt.timedelta(hours=hours_ago)
        )
        payload: dict[str, Any] = {f"field{n}": value for n in range(30)}
        payload["clientSecret"] = f"hunter2-{value}"
        version = PolicyVersionFactory(workspace=nightly.workspace, payload=payload)
        BackupItemFactory(backup_set=backup_set, graph_id="a", version=version)
        record_changes(finish(backup_set))

    change = PolicyChange.objects.get()
    assert (len(change.fields), change.field_count) == (20, 31)
    assert "hunter2" not in str(change.fields)


def test_a_backup_records_its_changes(
    schedule: BackupSchedule, back_up: Callable[..., OperationRun], graph: SandboxControl
) -> None:
    back_up(schedule)
    tenant_id = schedule.tenant.external_id
    policy = graph.objects(tenant_id, "conditional_access")[0]
    graph.put_object(tenant_id, "conditional_access", policy | {"state": "in doubt"})

    run = back_up(schedule)

    backup_set = BackupSet.objects.get(operation_run=run)
    assert counts(backup_set) == (0, 1, 0)
    change = PolicyChange.objects.get(tenant=schedule.tenant)
    assert (change.graph_id, change.fields) == (policy["id"], ["state"])


def test_a_tick_records_what_a_lost_backup_did_not(nightly: BackupSchedule) -> None:
    make_set(nightly, 3, a="on")
    lost = make_set(nightly, 2, a="off")
    active = make_set(nightly, 1, a="on")
    BackupSet.objects.filter(pk=active.pk).update(
        operation_run=OperationRunFactory(tenant=nightly.tenant, running=True)
    )

    record_missing_changes()
    record_missing()

    lost.refresh_from_db()
    active.refresh_from_db()
    assert counts(lost) == (0, 1, 0)
    assert active.compared_at is None
    assert feed(nightly.tenant) == [("changed", "a")]


def test_changes_outlive_their_sets_and_are_removed_later(
    nightly: BackupSchedule, settings: Any
) -> None:
    BackupSchedule.objects.filter(pk=nightly.pk).update(
        retention_keep_days=1, retention_keep_sets=1
    )
    old = recorded(nightly, 24 * 50, a="on")
    recorded(nightly, 24 * 40, a="off")
    recorded(nightly, 24 * 20, a="on")

    for backup_set in retention.expired_sets(nightly):
        assert retention.delete_set(backup_set)

    assert not BackupSet.objects.filter(pk=old.pk).exists()
    changes = list(PolicyChange.objects.with_scope().order_by("created_at"))
    assert [change.previous_set for change in changes] == [None, None]
    assert [bool(change.get_absolute_url()) for change in changes] == [False, True]
    settings.CHANGE_KEEP_DAYS = 30
    retention.remove_old_changes(nightly.tenant_id)
    assert [change.pk for change in PolicyChange.objects.all()] == [changes[1].pk]


needs_application = pytest.mark.usefixtures("application")
NOTHING = "compared_at = now(), created_count = 0, changed_count = 0, removed_count = 0"


# --- guards -------------------------------------------------------------------------------------


@pytest.fixture
def application(db: None) -> None:
    """The role that `rejected` takes."""
    create_or_update_role("app_changes", "secret")
    grant_application_privileges("app_changes")


def rejected(sql: str, *params: int | str | None) -> str:
    """Run a statement as the application, which the database must reject; return the message."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE app_changes")
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            cursor.execute(sql, params)
        cursor.execute("RESET ROLE")
    return str(error.value)


@needs_application
@pytest.mark.parametrize(
    "change",
    [
        "name = 'other'",
        "author = 'mallory', author_gap = '', changed_at = now()",
        "backup_set_id = NULL",
        "created_at = now()",
    ],
)
def test_a_recorded_change_never_changes(nightly: BackupSchedule, change: str) -> None:
    recorded(nightly, 2, a="on")
    recorded(nightly, 1, a="off")

    assert "a recorded change cannot be changed" in rejected(f"UPDATE policy_changes SET {change}")


@needs_application
@pytest.mark.parametrize("statement", ["DELETE FROM", "TRUNCATE"])
def test_only_retention_removes_changes(nightly: BackupSchedule, statement: str) -> None:
    recorded(nightly, 2, a="on")
    recorded(nightly, 1, a="off")

    assert "permission denied" in rejected(f"{statement} policy_changes")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{statement} policy_changes")


@needs_application
@pytest.mark.parametrize(
    "change",
    [
        "created_count = 7",
        "compared_at = now()",
        "compared_with_id = NULL",
    ],
)
def test_counted_changes_are_final(nightly: BackupSchedule, change: str) -> None:
    recorded(nightly, 2, a="on")
    backup_set = recorded(nightly, 1, a="off")

    message = rejected(f"UPDATE backup_sets SET {change} WHERE id = %s", backup_set.pk)

    assert "its changes have been counted" in message


@needs_application
@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("created_count = 1", "sets_changes_counted_together"),
        ("compared_at = now(), created_count = 1", "sets_changes_counted_together"),
        (
            "compared_at = now(), created_count = 2, changed_count = 0, removed_count = 0",
            "sets_changes_within_items",
        ),
        (
            "compared_at = now(), created_count = -1, changed_count = 0, removed_count = 0",
            "created_count",
        ),
        (
            f"{NOTHING}, compared_with_id = id",
            "sets_compared_with_another",
        ),
    ],
)
def test_counts_are_possible(nightly: BackupSchedule, change: str, constraint: str) -> None:
    backup_set = make_set(nightly, 1, a="on")

    message = rejected(f"UPDATE backup_sets SET {change} WHERE id = %s", backup_set.pk)

    assert constraint in message


@needs_application
def test_a_set_is_compared_with_a_set_of_its_tenant_only(
    nightly: BackupSchedule, workspace: Workspace
) -> None:
    backup_set = make_set(nightly, 1, a="on")
    sibling = BackupScheduleFactory(tenant=TenantFactory(workspace=workspace))
    other = make_set(sibling, 2, a="on")

    message = rejected(
        f"UPDATE backup_sets SET {NOTHING}, compared_with_id = %s WHERE id = %s",
        other.pk,
        backup_set.pk,
    )

    assert "sets_compared_with_own_tenant" in message


@needs_application
def test_a_set_that_is_being_built_is_not_compared(nightly: BackupSchedule) -> None:
    building = BackupSetFactory(schedule=nightly)

    message = rejected("UPDATE backup_sets SET compared_at = now() WHERE id = %s", building.pk)

    assert "sets_compared_when_finished" in message


_INSERT = """
INSERT INTO policy_changes (workspace_id, tenant_id, backup_set_id, previous_set_id, item_id,
                            before_id, change, kind, graph_id, name, content_hash, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'conditional_access', %s, 'a', %s, now())
"""


@needs_application
def test_a_change_refers_to_the_items_of_one_object_in_its_sets(nightly: BackupSchedule) -> None:
    before, now = make_set(nightly, 2, a="on", b="on"), make_set(nightly, 1, a="off", b="off")
    a, b = now.items.get(name="a").pk, now.items.get(name="b").pk
    a_before = before.items.get(name="a").pk
    scope: list[int | str] = [nightly.workspace_id, nightly.tenant_id, now.pk, before.pk]

    for item, earlier, change, graph_id in (
        (a, b, "changed", "a"),
        (b, a_before, "changed", "a"),
        (a_before, a, "changed", "a"),
        (a, a_before, "changed", "c"),
    ):
        assert "not those of the object" in rejected(
            _INSERT, *scope, item, earlier, change, graph_id, "x"
        )
    invalid: list[tuple[int | None, int | None, str, str]] = [
        (a, a_before, "created", "x"),
        (a, None, "changed", "x"),
        (a, a_before, "removed", ""),
        (None, a_before, "removed", "x"),
        (a, a_before, "changed", ""),
        (a, a_before, "renamed", "x"),
    ]
    for now_id, before_id, change, content_hash in invalid:
        assert "changes_" in rejected(_INSERT, *scope, now_id, before_id, change, "a", content_hash)


@needs_application
def test_a_change_belongs_to_the_tenant_of_its_sets(nightly: BackupSchedule) -> None:
    before, now = make_set(nightly, 2, a="on"), make_set(nightly, 1, a="off")
    other = TenantFactory(workspace=nightly.workspace)
    items = [now.items.get().pk, before.items.get().pk]

    message = rejected(
        _INSERT, nightly.workspace_id, other.pk, now.pk, before.pk, *items, "changed", "a", "x"
    )

    assert "changes_set_of_tenant" in message or "changes_previous_of_tenant" in message
