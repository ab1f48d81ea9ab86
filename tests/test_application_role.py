"""The role of web, worker and beat cannot weaken a guard or rewrite what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from tests.support.database import SharedRows
from tests.support.factories import TenantFactory
from tests.support.ledger import create_ledger, ledger_content
from tests.support.roles import shared_app_role

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
    "drop a constraint": "ALTER TABLE operation_runs DROP CONSTRAINT runs_incident_of_cause",
    "drop an index": "DROP INDEX runs_slot_once",
    "forget a migration": "DELETE FROM django_migrations",
    "invent a migration": (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('operations', 'x', now())"
    ),
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
    "write freshness": "UPDATE backup_freshness SET last_complete_at = now()",
    "delete freshness": "DELETE FROM backup_freshness",
    "add freshness": "INSERT INTO backup_freshness (tenant_id, workspace_id) VALUES (1, 1)",
    "determine freshness": "SELECT backup_freshness_update('{{1}}')",
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
    "delete what a backup shares": "DELETE FROM backup_shared_items",
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
    "raise the count of a quarter": "UPDATE operation_run_counts SET runs = runs + 1",
    "add the count of a quarter": (
        "INSERT INTO operation_run_counts (workspace_id, quarter, type, outcome, runs)"
        " VALUES (1, now(), 'inventory.sync', 'failed', 1)"
    ),
    "delete the count of a quarter": "DELETE FROM operation_run_counts",
    "empty the counts of quarters": "TRUNCATE operation_run_counts",
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
    "rewrite what a backup shares": "UPDATE backup_shared_items SET is_read = NOT is_read",
    "share an item with a finished backup": (
        "INSERT INTO backup_shared_items (workspace_id, tenant_id, set_id, kind, is_read, item_ids)"
        " SELECT workspace_id, tenant_id, set_id, kind, is_read, item_ids FROM backup_shared_items"
    ),
    "rewrite a backup": "UPDATE backup_sets SET item_count = 99",
    "rewrite a revision": "UPDATE backup_schedule_revisions SET cron = '0 0 * * *'",
    "replace an export": "UPDATE policy_exports SET archive = 'other'",
    "rewrite a preview": "UPDATE restore_items SET expected_hash = ''",
    "rewrite a restore": "UPDATE restore_runs SET requested_by_name = 'Eve'",
}


@pytest.fixture(scope="module")
def shared_roles(committed_rows: SharedRows) -> Iterator[tuple[str, str]]:
    """A ledger, the role of the application, and one that was granted every privilege on rows.

    No test is a transaction: an attack would wait for what it has read.
    """
    with committed_rows(), shared_app_role() as plain, shared_app_role() as privileged:
        create_ledger(TenantFactory())
        role = conninfo_to_dict(privileged)["user"]
        with connection.cursor() as cursor:
            cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        yield plain, privileged


@pytest.fixture
def session(shared_roles: tuple[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application's role."""
    with psycopg.connect(shared_roles[0], autocommit=True) as session:
        yield session


@pytest.fixture
def privileged_session(shared_roles: tuple[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """A session of a role that was granted too much."""
    with psycopg.connect(shared_roles[1], autocommit=True) as session:
        yield session


def attack(session: psycopg.Connection[Any], statements: str) -> None:
    session.execute(statements.format(database=connection.settings_dict["NAME"]))


def test_every_guarded_table_has_a_row(shared_roles: object) -> None:
    """Otherwise an attack could succeed and change nothing."""
    assert [table for table, rows in ledger_content().items() if not rows] == []


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
    before = ledger_content()

    with pytest.raises(psycopg.Error):
        attack(session, ATTACKS_ON_ROWS[name])

    assert ledger_content() == before


@pytest.mark.parametrize("name", ATTACKS_ON_ROWS)
def test_the_guards_hold_without_the_privileges_too(privileged_session: Any, name: str) -> None:
    """A role that was granted too much is bound by the triggers."""
    privileged_session.execute("SET runledger.pruning = 'on'; SET runledger.legacy_import = 'on'")
    before = ledger_content()

    with pytest.raises(psycopg.errors.RestrictViolation):
        attack(privileged_session, ATTACKS_ON_ROWS[name])

    assert ledger_content() == before


def test_the_role_can_ask_which_terms_are_rare(session: Any) -> None:
    asked = session.execute("SELECT search_rare_terms('changes_terms', '{ABC}')")

    assert asked.fetchone() == (["ABC"],)
