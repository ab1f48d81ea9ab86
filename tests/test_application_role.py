"""The role of web, worker and beat cannot weaken a guard or rewrite what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from operations.metrics.counting import update_metrics
from restores.models import RestoreRun
from tenancy.models import Tenant
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
    finish,
)
from tests.support.factories.legacy_runs import create_legacy_runs_of_every_kind
from tests.support.factories.operations import create_past_run
from tests.support.factories.restores import create_restore

pytestmark = pytest.mark.django_db(transaction=True)

#: The tables whose rows say what happened.
GUARDED = (
    *("operation_runs", "operation_run_events", "operation_run_items"),
    *("operation_run_tombstones", "inventory_sync_runs", "entra_group_sync_runs"),
    *("backup_schedule_runs", "backup_schedule_revisions", "backup_sets", "backup_items"),
    *("policy_versions", "policy_exports", "restore_runs", "restore_items"),
    *("operation_metrics", "operation_metric_increments"),
)
DISABLE = (
    "CREATE OR REPLACE FUNCTION {} RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
)

#: What no role but the owner may do, whatever its privileges on rows.
ATTACKS_ON_GUARDS = {
    "shadow a table": "CREATE TEMP TABLE backup_sets AS SELECT 1 AS id, 'building' AS status",
    "create a schema before public": "CREATE SCHEMA mine",
    "create a function": "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "create a table": "CREATE TABLE public.mine (id int)",
    "disable triggers": "ALTER TABLE operation_run_events DISABLE TRIGGER ALL",
    "skip triggers": "SET session_replication_role = replica",
    "drop a trigger": "DROP TRIGGER versions_never_change ON policy_versions",
    "drop a constraint": "ALTER TABLE operation_runs DROP CONSTRAINT runs_counts_valid",
    "drop an index": "DROP INDEX runs_slot_once",
    "replace a guard": DISABLE.format("operation_runs_reject()"),
    "unfix a search path": "ALTER FUNCTION restore_items_guard() RESET search_path",
    "write a rule": "CREATE RULE mine AS ON UPDATE TO policy_versions DO INSTEAD NOTHING",
    "become the owner": "SET SESSION AUTHORIZATION postgres",
    "become a superuser": "ALTER ROLE CURRENT_USER SUPERUSER",
    "grant oneself rights": "GRANT pg_write_all_data TO CURRENT_USER",
    "change the server": "ALTER SYSTEM SET session_replication_role = replica",
    "change the database": "ALTER DATABASE {database} SET session_replication_role = replica",
    "run a program": "COPY operation_runs TO PROGRAM 'cat'",
    "write a file": "COPY operation_runs TO '/tmp/runs'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "read passwords": "SELECT rolpassword FROM pg_authid",
    "import legacy runs": "SELECT legacy_runs_import('inventory_sync_runs', '[]')",
}

#: What the guards refuse even to a role with every privilege on rows.
ATTACKS_ON_ROWS = {
    "empty a timeline": "TRUNCATE operation_run_events",
    "empty the ledger": "TRUNCATE operation_runs CASCADE",
    "empty the backups": "TRUNCATE policy_versions CASCADE",
    "empty the restores": "TRUNCATE restore_runs CASCADE",
    "delete a run": "DELETE FROM operation_runs",
    "delete an event": "DELETE FROM operation_run_events",
    "delete an item": "DELETE FROM operation_run_items",
    "delete a tombstone": "DELETE FROM operation_run_tombstones",
    "delete a legacy run": "DELETE FROM inventory_sync_runs",
    "delete a backup": "DELETE FROM backup_sets",
    "delete an item of a backup": "DELETE FROM backup_items",
    "delete a content": "DELETE FROM policy_versions",
    "delete a revision": "DELETE FROM backup_schedule_revisions",
    "delete an export": "DELETE FROM policy_exports",
    "delete a restore": "DELETE FROM restore_items; DELETE FROM restore_runs",
    "rewrite an event": "UPDATE operation_run_events SET message = ''",
    "rewrite an outcome": "UPDATE operation_runs SET outcome = 'succeeded' WHERE outcome = 'failed'",
    "rewrite a request": "UPDATE operation_runs SET initiator_name = 'Eve'",
    "rewrite an item": "UPDATE operation_run_items SET outcome = 'succeeded'",
    "move an item": (
        "UPDATE operation_run_items SET run_id ="
        " (SELECT id FROM operation_runs WHERE status = 'running')"
    ),
    "add an item to an ended run": (
        "INSERT INTO operation_run_items (run_id, key, outcome, label, reason_code, message,"
        " request_id, link) SELECT id, 'late', 'succeeded', '', '', '', '', ''"
        " FROM operation_runs WHERE status = 'completed'"
    ),
    "lower a counter": "UPDATE operation_metrics SET value = 0",
    "raise a counter": "UPDATE operation_metrics SET value = value + 1",
    "add a counter": "INSERT INTO operation_metrics (name, value) VALUES ('runs_ended', 1)",
    "delete a counter": "DELETE FROM operation_metrics",
    "empty the counters": "TRUNCATE operation_metrics",
    "leave out what is not counted": "DELETE FROM operation_metric_increments",
    "change what is not counted": "UPDATE operation_metric_increments SET run_id = NULL",
    "empty what is not counted": "TRUNCATE operation_metric_increments",
    "rewrite a trace": (
        "UPDATE operation_runs SET trace_parent ="
        " '00-11111111111111111111111111111111-2222222222222222-01'"
    ),
    "reopen a run": "UPDATE operation_runs SET status = 'running' WHERE status = 'completed'",
    "mark details as removed": "UPDATE operation_runs SET details_removed_at = now()",
    "rewrite a tombstone": "UPDATE operation_run_tombstones SET outcome = 'succeeded'",
    "add a legacy run": (
        "INSERT INTO inventory_sync_runs SELECT (jsonb_populate_record(row, '{{\"id\": 7}}')).*"
        " FROM inventory_sync_runs row"
    ),
    "rewrite a legacy run": "UPDATE inventory_sync_runs SET status = 'success'",
    "rewrite a content": "UPDATE policy_versions SET payload = '{{}}'",
    "rewrite an item of a backup": "UPDATE backup_items SET version_id = NULL, complete = false",
    "rewrite a backup": "UPDATE backup_sets SET item_count = 99",
    "rewrite a revision": "UPDATE backup_schedule_revisions SET cron = '0 0 * * *'",
    "replace an export": "UPDATE policy_exports SET archive = 'other'",
    "rewrite a preview": "UPDATE restore_items SET expected_hash = ''",
    "rewrite a restore": "UPDATE restore_runs SET requested_by_name = 'Eve'",
}

#: What the functions of retention, which the role may call, refuse.
ATTACKS_ON_RETENTION = {
    "runs of today": "SELECT operation_runs_mark_details_removed(ARRAY(SELECT id FROM operation_runs))",
    "details": "SELECT operation_runs_delete_details(ARRAY(SELECT id FROM operation_runs), 1000)",
    "rows": "SELECT operation_runs_remove(ARRAY(SELECT id FROM operation_runs))",
    "tombstones of today": (
        "SELECT operation_run_tombstones_delete(workspace_id, 'infinity', 1000) FROM tenants"
    ),
    "recent backups": "SELECT backup_sets_delete(id) FROM backup_sets",
    "items of a finished set": "SELECT backup_items_remove(id) FROM backup_items",
    "contents in use": "SELECT policy_versions_delete_unreferenced(id) FROM workspaces",
    "backups of a schedule that keeps nothing": (
        "UPDATE backup_schedules SET retention_keep_sets = 1, retention_keep_days = 1;"
        " SELECT backup_sets_delete(id) FROM backup_sets"
    ),
}


@pytest.fixture
def ledger(tenant: Tenant) -> None:
    """One row of every kind, none of which may be changed or deleted."""
    for days in (900, 800):
        create_past_run(tenant, days)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT operation_runs_mark_details_removed(ids), operation_runs_remove(ids)"
            " FROM (SELECT ARRAY(SELECT id FROM operation_runs)) AS removed (ids)"
        )
    update_metrics()
    create_past_run(tenant, 0, "failed")
    OperationRunFactory(tenant=tenant, running=True)
    create_legacy_runs_of_every_kind(tenant)
    backup_set = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    finish(BackupItemFactory(backup_set=backup_set).backup_set)
    PolicyExportFactory(tenant=tenant)
    create_restore(tenant, executing=True)


@pytest.fixture
def session(app_role: str, ledger: None) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application's role."""
    with psycopg.connect(app_role, autocommit=True) as session:
        yield session


def content() -> dict[str, Any]:
    """The rows of the guarded tables."""
    with connection.cursor() as cursor:
        return {
            table: cursor.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in GUARDED
        }


def attack(session: psycopg.Connection[Any], statements: str) -> None:
    session.execute(statements.format(database=connection.settings_dict["NAME"]))


def test_every_guarded_table_has_a_row(ledger: None) -> None:
    """Otherwise an attack could succeed and change nothing."""
    assert [table for table, rows in content().items() if not rows] == []


@pytest.mark.parametrize("name", ATTACKS_ON_GUARDS)
def test_the_role_cannot_weaken_the_guards(session: Any, name: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        attack(session, ATTACKS_ON_GUARDS[name])


@pytest.mark.parametrize("setting", ["", "runledger.pruning", "runledger.legacy_import"])
@pytest.mark.parametrize("name", ATTACKS_ON_ROWS)
def test_the_role_cannot_rewrite_what_happened(session: Any, name: str, setting: str) -> None:
    """Not even with the settings by which the functions of the owner say what they do."""
    if setting:
        session.execute(f"SET {setting} = 'on'")
    before = content()

    with pytest.raises(psycopg.Error):
        attack(session, ATTACKS_ON_ROWS[name])

    assert content() == before


@pytest.mark.parametrize("name", ATTACKS_ON_ROWS)
def test_the_guards_hold_without_the_privileges_too(session: Any, app_role: str, name: str) -> None:
    """A role that was granted too much is bound by the triggers."""
    role = conninfo_to_dict(app_role)["user"]
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    session.execute("SET runledger.pruning = 'on'; SET runledger.legacy_import = 'on'")
    before = content()

    with pytest.raises(psycopg.errors.RestrictViolation):
        attack(session, ATTACKS_ON_ROWS[name])

    assert content() == before


@pytest.mark.parametrize("name", ATTACKS_ON_RETENTION)
def test_retention_deletes_nothing_that_must_be_kept(session: Any, name: str) -> None:
    before = content()

    attack(session, ATTACKS_ON_RETENTION[name])

    assert content() == before


def test_retention_deletes_a_set_that_its_schedule_no_longer_keeps(
    session: Any, tenant: Tenant
) -> None:
    """The control: the functions delete what they may, as the application's role."""
    schedule = BackupScheduleFactory(tenant=tenant, retention_keep_sets=1, retention_keep_days=1)
    old = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule)).backup_set
    finish(old, ended_at=old.started_at.replace(year=2020))
    finish(BackupSetFactory(schedule=schedule))
    empty = BackupSetFactory(schedule=schedule)
    listed = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule), missed=True)

    deleted = session.execute("SELECT id, backup_sets_delete(id) FROM backup_sets").fetchall()
    removed = session.execute("SELECT backup_items_remove(%s)", [listed.pk]).fetchone()
    contents = session.execute(
        "SELECT policy_versions_delete_unreferenced(%s)", [tenant.workspace_id]
    ).fetchone()

    assert {set_id for set_id, is_deleted in deleted if is_deleted} == {old.pk, empty.pk}
    assert (removed, contents) == ((True,), (1,))
    assert RestoreRun.objects.filter(backup_set=old.pk).count() == 0
