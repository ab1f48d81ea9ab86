"""The database rejects invalid backups, whichever client writes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from backups import services
from backups.models import BackupSchedule, BackupSet, ScheduleRevision, SetStatus
from operations.database_roles import create_or_update_role, grant_application_privileges
from tenancy.models import User
from tests.support.factories import TenantFactory, WorkspaceFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
    share_items,
    utc,
)

pytestmark = pytest.mark.django_db


def rejected(sql: str, *params: int | None) -> str:
    """Run a statement that the database must reject, and return the message."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
    return str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        "kinds = '{}'",
        "misfire_policy = 'whatever'",
        "retention_keep_sets = 0",
        "retention_keep_days = 0",
        "misfire_grace = '-1 second'",
        "next_run_at = NULL",
        "pause_reason = 'because'",
        "settled_until = next_run_at",
        "paused_at = now()",
        "paused_at = now(), next_run_at = NULL",
    ],
)
def test_a_schedule_has_valid_and_consistent_values(change: str) -> None:
    schedule = BackupScheduleFactory()

    assert "schedules_" in rejected(
        f"UPDATE backup_schedules SET {change} WHERE id = %s", schedule.pk
    )


@pytest.mark.parametrize("table", ["backup_schedules", "backup_sets", "backup_items"])
def test_a_row_cannot_move_to_a_tenant_of_another_workspace(table: str) -> None:
    item = BackupItemFactory()
    other_tenant = TenantFactory(workspace=WorkspaceFactory())

    rejected(f"UPDATE {table} SET tenant_id = %s", other_tenant.pk)

    item.refresh_from_db()
    assert item.tenant_id != other_tenant.pk


def test_an_item_belongs_to_the_tenant_of_its_set() -> None:
    item, other = BackupItemFactory(missed=True), BackupSetFactory()

    message = rejected(
        "INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, complete,"
        " reason_code) SELECT workspace_id, tenant_id, %s, kind, graph_id, name, false, 'a'"
        " FROM backup_items WHERE id = %s",
        other.pk,
        item.pk,
    )

    assert "items_scope_of_set" in message


def test_an_item_cannot_refer_to_a_version_of_another_workspace() -> None:
    item = BackupItemFactory(missed=True)
    foreign = PolicyVersionFactory(workspace=WorkspaceFactory())

    message = rejected("UPDATE backup_items SET version_id = %s WHERE id = %s", foreign.pk, item.pk)

    assert "items_version_of_workspace" in message


def test_a_set_belongs_to_a_schedule_of_its_tenant() -> None:
    backup_set, other = BackupSetFactory(), BackupScheduleFactory()

    message = rejected(
        "UPDATE backup_sets SET schedule_id = %s WHERE id = %s", other.pk, backup_set.pk
    )

    assert "sets_schedule_of_tenant" in message


def test_a_version_is_never_changed() -> None:
    version = PolicyVersionFactory(workspace=WorkspaceFactory())

    message = rejected("UPDATE policy_versions SET payload = '{}' WHERE id = %s", version.pk)

    assert "a version cannot be changed" in message


def test_a_content_is_stored_once_per_workspace() -> None:
    version = PolicyVersionFactory(workspace=WorkspaceFactory())

    rejected(
        "INSERT INTO policy_versions (workspace_id, content_hash, normalized_hash, payload, size,"
        " created_at) SELECT workspace_id, content_hash, normalized_hash, '{}', 1, now()"
        " FROM policy_versions WHERE id = %s",
        version.pk,
    )
    PolicyVersionFactory(workspace=WorkspaceFactory(), content_hash=version.content_hash)


def test_a_set_contains_an_object_once_whatever_its_name() -> None:
    item = BackupItemFactory(name="One")
    BackupItemFactory(backup_set=item.backup_set, name="One")

    with pytest.raises(DatabaseError, match="items_once_per_object"), transaction.atomic():
        BackupItemFactory(backup_set=item.backup_set, graph_id=item.graph_id, name="Other")


@pytest.mark.parametrize(
    "invalid",
    [{"missing": ["settings"]}, {"reason_code": "x"}, {"version": None}, {"captured_at": None}],
    ids=str,
)
def test_a_complete_item_has_all_its_content(invalid: dict[str, Any]) -> None:
    backup_set = BackupSetFactory()

    with pytest.raises(DatabaseError, match="items_complete_has_content"), transaction.atomic():
        BackupItemFactory(backup_set=backup_set, **invalid)


def test_an_incomplete_item_has_a_reason() -> None:
    item = BackupItemFactory(missed=True)

    message = rejected("UPDATE backup_items SET reason_code = '' WHERE id = %s", item.pk)

    assert "items_incomplete_has_reason" in message


def complete(backup_set: BackupSet, **more: Any) -> str:
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        finish(backup_set, **more)
    return str(error.value)


def test_a_set_with_an_incomplete_item_is_never_complete() -> None:
    backup_set = BackupItemFactory(missed=True).backup_set

    assert "not all of its items are complete" in complete(backup_set)


def test_a_set_with_an_unlisted_kind_is_never_complete() -> None:
    backup_set = BackupSetFactory(listed_kinds=["conditional_access"])

    assert "sets_complete_covers_kinds" in complete(backup_set)


def test_a_set_with_a_wrong_count_is_never_complete() -> None:
    assert "another number of items" in complete(BackupSetFactory(), incomplete_count=1)


def test_a_finished_set_has_an_end() -> None:
    assert "sets_building_or_finished" in complete(BackupSetFactory(), ended_at=None)


@pytest.mark.parametrize("status", [SetStatus.COMPLETE, SetStatus.INCOMPLETE, SetStatus.FAILED])
def test_a_finished_set_accepts_no_items(status: SetStatus) -> None:
    item = BackupItemFactory()
    finish(item.backup_set, status)

    update_message = rejected("UPDATE backup_items SET name = 'x' WHERE id = %s", item.pk)
    assert "it is finished" in update_message or "cannot be changed" in update_message
    assert "it is finished" in rejected(
        "INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, complete,"
        " reason_code) SELECT workspace_id, tenant_id, set_id, kind, 'new', name, false, 'x'"
        " FROM backup_items WHERE id = %s",
        item.pk,
    )


@pytest.mark.parametrize(
    "change", ["status = 'building', ended_at = NULL", "item_count = 7", "started_at = now()"]
)
def test_a_finished_set_is_immutable(change: str) -> None:
    backup_set = finish(BackupSetFactory())

    message = rejected(f"UPDATE backup_sets SET {change} WHERE id = %s", backup_set.pk)

    assert "a finished set cannot be changed" in message


def test_a_version_with_references_is_not_deleted() -> None:
    item = BackupItemFactory()

    rejected("DELETE FROM policy_versions WHERE id = %s", item.version_id)
    rejected("SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM policy_versions")


@pytest.mark.parametrize("table", ["backup_items", "policy_versions", "backup_shared_items"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "WITH removed AS (DELETE FROM {} RETURNING id) SELECT count(*) FROM removed",
        "MERGE INTO {} USING (SELECT 1) one ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_not_even_a_role_with_the_privilege_deletes_what_retention_deletes(
    table: str, statement: str
) -> None:
    item = BackupItemFactory()
    share_items(BackupSetFactory(schedule=item.backup_set.schedule), item)
    create_or_update_role("app_guards", "secret")
    grant_application_privileges("app_guards")
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT DELETE ON {table} TO app_guards")
        cursor.execute("SET LOCAL ROLE app_guards")
        cursor.execute("SET LOCAL runledger.pruning = 'on'")

    assert f"{table}: only retention can delete" in rejected(statement.format(table))


# --- revisions ------------------------------------------------------------------------------------


@pytest.fixture
def as_application(manager: User) -> None:
    """Write with the privileges of the role that web, worker and beat have.

    The manager comes first: only the owner can give a member a role of many days.
    """
    create_or_update_role("app_guards", "secret")
    grant_application_privileges("app_guards")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE app_guards")


@pytest.fixture
def revised(manager: User) -> BackupSchedule:
    """A schedule with an ended and an open revision."""
    schedule: BackupSchedule = BackupScheduleFactory(due=utc(2026, 1, 5, 2, 30))
    schedule.cron = "0 4 * * *"
    services.save(schedule, by=manager)
    return schedule


REVISION = "UPDATE backup_schedule_revisions SET {} WHERE schedule_id = %s AND number = {}"
OPEN = (
    "INSERT INTO backup_schedule_revisions"
    " (schedule_id, number, cron, timezone, rules_version, valid_from, reason)"
    " VALUES (%s, {}, '0 4 * * *', 'UTC', '', {}, 'resumed')"
)


@pytest.mark.usefixtures("as_application")
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (REVISION.format("cron = '* * * * *'", 2), "a revision cannot be changed"),
        (REVISION.format("valid_from = valid_from - interval '1 day'", 2), "cannot be changed"),
        (REVISION.format("reason = 'created'", 2), "a revision cannot be changed"),
        (REVISION.format("changed_by_id = 1", 1), "a revision cannot be changed"),
        (REVISION.format("valid_until = now()", 1), "a revision cannot be changed"),
        (REVISION.format("valid_until = NULL, end_reason = ''", 1), "cannot be changed"),
        (REVISION.format("valid_until = valid_from, end_reason = ''", 2), "end_has_reason"),
        (
            REVISION.format("valid_until = valid_from - interval '1 s', end_reason = 'paused'", 2),
            "revisions_end_after_start",
        ),
        ("DELETE FROM backup_schedule_revisions WHERE schedule_id = %s", "permission denied"),
        (OPEN.format(3, "now()"), "does not follow an ended revision"),
        (OPEN.format(4, "now()"), "does not follow an ended revision"),
        (OPEN.format(2, "clock_timestamp()"), "revisions_number_once"),
        (OPEN.format(0, "now()"), "does not follow an ended revision"),
        (OPEN.format(1, "now()"), "revisions_number_once"),
    ],
)
def test_revisions_follow_each_other_and_never_change(
    revised: BackupSchedule, sql: str, message: str
) -> None:
    assert message in rejected(sql, revised.pk)


END = REVISION.format("valid_until = clock_timestamp(), end_reason = 'paused'", 2)


@pytest.mark.usefixtures("as_application")
def test_revisions_do_not_overlap(revised: BackupSchedule) -> None:
    with connection.cursor() as cursor:
        cursor.execute(END, [revised.pk])

    message = rejected(OPEN.format(3, "now() - interval '1 hour'"), revised.pk)

    assert "does not follow an ended revision" in message
    transaction.set_rollback(True)


PAUSE = (
    "UPDATE backup_schedules SET paused_at = now(), pause_reason = 'x', next_run_at = NULL"
    " WHERE id = %s"
)


@pytest.mark.usefixtures("as_application")
@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE backup_schedules SET cron = '* * * * *' WHERE id = %s"],
        ["UPDATE backup_schedules SET timezone = 'Asia/Tokyo' WHERE id = %s"],
        [PAUSE],
        [END],
        [END, OPEN.format(3, "clock_timestamp()").replace("0 4", "0 5")],
    ],
)
def test_the_times_of_a_schedule_match_its_open_revision(
    revised: BackupSchedule, statements: list[str]
) -> None:
    """The rule applies at the end of the transaction."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, [revised.pk])

    assert "its open revision does not match its times" in rejected("SET CONSTRAINTS ALL IMMEDIATE")
    transaction.set_rollback(True)


def test_a_deleted_user_leaves_the_revisions(revised: BackupSchedule, manager: User) -> None:
    manager.delete()

    assert revised.revisions.filter(changed_by=None, ended_by=None).count() == 2


def test_revisions_are_deleted_with_their_schedule(revised: BackupSchedule) -> None:
    schedule_id = revised.pk
    revised.delete()

    assert not ScheduleRevision.objects.filter(schedule_id=schedule_id).exists()
