"""The functions of the guards read the tables of the product, never a temporary table."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from backups.models import BackupItem, BackupSet, SetStatus
from restores.models import RestoreItem, RestoreRun
from tenancy.models import Tenant
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.factories.operations import create_ended_run, create_past_run
from tests.support.factories.restores import create_restore

FIXED = "search_path=pg_catalog, public, pg_temp"


@pytest.mark.django_db
def test_every_guard_and_every_function_of_the_owner_has_a_fixed_search_path() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND (prorettype = 'trigger'::regtype OR prosecdef)"
            " AND NOT coalesce(%s = ANY (proconfig), false)",
            [FIXED],
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_proc WHERE %s = ANY (proconfig)", [FIXED])
        assert cursor.fetchone()[0] > 15


@pytest.mark.django_db
def test_no_function_of_the_owner_can_be_called_by_every_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
            " AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))"
        )
        assert cursor.fetchall() == []


@pytest.fixture
def session(app_role: str) -> Any:
    """A session of the application's role that may create temporary tables."""
    with connection.cursor() as cursor:
        database, role = connection.settings_dict["NAME"], conninfo_to_dict(app_role)["user"]
        cursor.execute(f'GRANT TEMPORARY ON DATABASE "{database}" TO {role}')
    with psycopg.connect(app_role, autocommit=True) as session:
        yield session


def refused(message: str) -> Any:
    return pytest.raises(psycopg.Error, match=message)


@pytest.mark.django_db(transaction=True)
def test_a_temporary_set_does_not_reopen_a_finished_one(session: Any, tenant: Tenant) -> None:
    item = BackupItemFactory(
        backup_set=BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)), missed=True
    )
    finish(item.backup_set, SetStatus.FAILED)
    session.execute(
        "CREATE TEMP TABLE backup_sets AS SELECT id, 'building' AS status FROM public.backup_sets"
    )

    with refused("it is finished"):
        session.execute("UPDATE backup_items SET name = 'other'")

    assert BackupItem.objects.get().name == item.name


@pytest.mark.django_db(transaction=True)
def test_a_temporary_table_of_items_does_not_complete_a_set(session: Any, tenant: Tenant) -> None:
    item = BackupItemFactory(
        backup_set=BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)), missed=True
    )
    session.execute("CREATE TEMP TABLE backup_items (set_id bigint, complete boolean)")

    with refused("not all of its items are complete"):
        session.execute("UPDATE backup_sets SET status = 'complete', ended_at = now()")

    assert BackupSet.objects.get(pk=item.backup_set_id).status == SetStatus.BUILDING


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "statement", "message"),
    [
        ("previewing", "UPDATE restore_items SET live_hash = 'x'", "preview cannot be changed"),
        ("executing", "UPDATE restore_items SET state = 'intent'", "cannot become"),
        (
            "previewing",
            (
                "INSERT INTO restore_items SELECT (jsonb_populate_record(item, '{\"id\": 7}')).*"
                " FROM restore_items item"
            ),
            "only be added during the preview",
        ),
    ],
)
def test_a_temporary_restore_does_not_change_a_preview(
    session: Any, tenant: Tenant, status: str, statement: str, message: str
) -> None:
    restore = create_restore(tenant)
    before = list(RestoreItem.objects.values())
    session.execute(
        f"CREATE TEMP TABLE restore_runs AS SELECT id, '{status}' AS status FROM public.restore_runs"
    )

    with refused(message):
        session.execute(statement)

    assert list(RestoreItem.objects.values()) == before
    assert RestoreRun.objects.get(pk=restore.pk).status == "previewed"


# --- retention ------------------------------------------------------------------------------------

PRUNE = (
    "SELECT operation_runs_mark_details_removed(ARRAY(SELECT id FROM operation_runs))",
    "SELECT operation_runs_delete_details(ARRAY(SELECT id FROM operation_runs), 1000)",
    "SELECT operation_runs_remove(ARRAY(SELECT id FROM operation_runs))",
    "SELECT operation_run_tombstones_delete(workspace_id, 'infinity', 1000) FROM tenants",
)


def counts() -> dict[str, int]:
    tables = ("runs", "run_events", "run_items", "run_tombstones")
    with connection.cursor() as cursor:
        return {
            table: cursor.execute(f"SELECT count(*) FROM operation_{table}").fetchone()[0]
            for table in tables
        }


@pytest.mark.django_db(transaction=True)
def test_the_functions_of_retention_keep_what_must_be_kept(session: Any, tenant: Tenant) -> None:
    """The newest run, the newest success, runs of today, active ones and those that they retry."""
    create_past_run(tenant, 900)
    newest_success = create_past_run(tenant, 800)
    newest = create_past_run(tenant, 700, "failed")
    create_ended_run(TenantFactory(workspace=tenant.workspace))
    before = counts()

    for statement in PRUNE:
        session.execute(statement)

    assert counts()["runs"] == before["runs"] - 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operation_runs WHERE id = ANY (%s)",
                       [[newest_success.pk, newest.pk]])  # fmt: skip
        assert cursor.fetchone() == (2,)
    assert counts()["run_tombstones"] == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM operation_runs",
        "DELETE FROM operation_run_events",
        "DELETE FROM operation_run_items",
        "DELETE FROM operation_run_tombstones",
        "UPDATE operation_runs SET details_removed_at = now()",
        "TRUNCATE operation_run_events",
    ],
)
@pytest.mark.parametrize("has_rights", [False, True], ids=["as granted", "with rights on rows"])
def test_the_setting_of_retention_allows_no_session_to_delete(
    session: Any, app_role: str, tenant: Tenant, statement: str, has_rights: bool
) -> None:
    create_past_run(tenant, 900)
    create_past_run(tenant, 800)
    if has_rights:
        with connection.cursor() as cursor:
            role = conninfo_to_dict(app_role)["user"]
            cursor.execute(
                f"GRANT UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO {role}"
            )
    before = counts()
    session.execute("SET runledger.pruning = 'on'")

    with refused("permission denied|only retention|append-only"):
        session.execute(statement)

    assert counts() == before
