"""Import of legacy runs: every valid row exactly once, with correct tenants and runs."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError
from django.db import connections, transaction

from legacy_runs.columns import Malformed, parse
from legacy_runs.importing import BATCH, Import
from legacy_runs.models import (
    MAX_ID,
    TABLES,
    BackupScheduleRun,
    EntraGroupSyncRun,
    InventorySyncRun,
)
from legacy_runs.sources import CsvFile, OlderDatabase
from operations.models import OperationRunTombstone
from tenancy.models import Tenant
from tests.legacy_runs.importing import command, command_that_rejects
from tests.support.factories import TenantFactory, WorkspaceFactory
from tests.support.factories.legacy_runs import (
    SOURCE_COLUMNS,
    columns_of_run,
    create_canonical_run,
    prune_run,
    source_row,
)
from tests.support.factories.operations import create_past_run, prune
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db(transaction=True)

INVENTORY, GROUPS, SCHEDULES = TABLES
RESTORE = "restore.execute"
GUID = "0b1d5c3e-8a44-4f0e-9d7e-2f6a1c9b7e01"
ROW = SOURCE_COLUMNS | {"id": "5", "tenant_external_id": GUID}


def run_import(*rows: dict[str, Any], kind: str = INVENTORY, **options: Any) -> Import:
    legacy_import = Import(kind, **options)
    legacy_import.run(enumerate(rows, start=2))
    return legacy_import


# --- parsing a row -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", ""),
        ("id", "-1"),
        ("id", "1.0"),
        ("id", "\uff11\uff12"),
        ("id", "9" * 5000),
        ("id", str(MAX_ID + 1)),
        ("id", "1\x00"),
        ("tenant_external_id", "not-a-guid"),
        ("tenant_external_id", f"urn:uuid:{GUID}"),
        ("status", ""),
        ("status", "\x00\x01"),
        ("created_at", "yesterday"),
        ("created_at", "2026-02-30T00:00:00Z"),
        ("created_at", "0001-01-01T00:00:00-14:00"),
        ("created_at", "2024-01-01T00:00:00Z\x00"),
        ("created_at", "1969-12-31T23:59:59Z"),
        ("created_at", "2200-01-01T00:00:00Z"),
        ("created_at", "infinity"),
        ("finished_at", "infinity"),
        ("created_at", "9999-12-31T23:59:59-14:00"),
        ("items_observed_count", "-3"),
        ("items_observed_count", "many"),
        ("selection_payload", "{"),
        ("selection_payload", "[" * 5000),
        ("selection_payload", f'["{"x" * 65_536}"]'),
        ("selection_payload", "[" * 40 + "]" * 40),
        ("selection_hash", "f" * 65),
    ],
)
def test_a_malformed_value_is_named_and_not_quoted(column: str, value: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(INVENTORY, ROW | {column: value})

    assert str(caught.value).startswith(f"{column}: ")
    assert not value or len(value) < 4 or value not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["1B2M2Y8AsgTpgAmY7PhCfg==", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=", "a" * 64]
)
def test_identifying_values_are_stored_unchanged(key: str) -> None:
    group = parse(GROUPS, ROW | {"selection_key": key, "slot_key": f"token={key}"})

    assert parse(INVENTORY, ROW | {"selection_hash": key})["selection_hash"] == key
    assert (group["selection_key"], group["slot_key"]) == (key, f"token={key}")


def test_a_large_selection_is_imported_completely() -> None:
    payload = {"policy_ids": [f"policy-{number}" for number in range(3500)]}

    assert parse(INVENTORY, ROW | {"selection_payload": payload})["selection_payload"] == payload


@pytest.mark.parametrize("name", ["started_at", "scheduled_for"])
def test_a_missing_creation_time_is_taken_from_another_column(name: str) -> None:
    row = {name: "2024-03-08T07:00:00Z", "created_at": None}
    others = dict.fromkeys({"started_at", "scheduled_for"} - {name})

    assert parse(INVENTORY, ROW | others | row)["created_at"] == "2024-03-08T07:00:00+00:00"


def test_a_row_is_imported_with_its_values(tenant: Tenant) -> None:
    result = run_import(
        source_row(
            tenant,
            id=77,
            status="success",
            selection_payload='{"policy_types": ["compliance"]}',
            items_observed_count="40",
            created_at="2024-03-08 08:00:00+01:00",
            updated_at="2024-03-08T07:02:00Z",
        )
    )

    row = InventorySyncRun.objects.get(pk=77)
    assert result.report.counts == {"imported": 1}
    assert (row.tenant, row.workspace) == (tenant, tenant.workspace)
    assert row.created_at == dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
    assert row.updated_at == dt.datetime(2024, 3, 8, 7, 2, tzinfo=dt.UTC)
    assert row.selection_payload == {"policy_types": ["compliance"]}
    assert (row.items_observed_count, row.errors_count) == (40, 0)


@pytest.mark.parametrize("kind", TABLES)
def test_secrets_of_the_older_installation_are_redacted(kind: str, tenant: Tenant) -> None:
    secret = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJlLXBhcnQ"
    message = f"Authorization: Bearer {secret}"
    columns = {
        "error_summary": message,
        "error_message": message,
        "selection_payload": {"header": message},
        "summary": {"header": message},
        "status": "failed",
    }

    run_import(source_row(tenant, id=3, **columns), kind=kind)

    values = str(TABLES[kind]._default_manager.filter(pk=3).values().get())
    assert "c2lnbmF0dXJlLXBhcnQ" not in values


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_status_is_stored_and_shown_unchanged(kind: str, tenant: Tenant) -> None:
    run_import(source_row(tenant, id=3, status="half_done"), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=3)
    assert (row.status, row.status_label) == ("half_done", "half_done")


# --- tenants and runs --------------------------------------------------------------------------------


def test_a_row_of_an_unknown_tenant_is_rejected_with_the_reason(tenant: Tenant) -> None:
    result = run_import(
        source_row(tenant, tenant_external_id=str(uuid.uuid4())), source_row(tenant)
    )

    assert result.report.counts == {"imported": 1, "rejected": 1}
    assert result.report.reasons == {"tenant: unknown": 1}


def test_rows_are_assigned_by_the_older_workspace_number(tenant: Tenant) -> None:
    """Two workspaces manage one tenant, here and in the older installation."""
    twin = TenantFactory(external_id=tenant.external_id, workspace=WorkspaceFactory(slug="other"))
    rows = [
        source_row(tenant, id=1, workspace="", workspace_id=7),
        source_row(tenant, id=2, workspace="", workspace_id="8"),
        source_row(tenant, id=3, workspace="", workspace_id=9),
        source_row(tenant, id=4, workspace="contoso"),
    ]

    result = run_import(*rows, workspaces={"7": "contoso", "8": "other"})

    tenants = {row.pk: row.tenant for row in InventorySyncRun.objects.all()}
    assert tenants == {1: tenant, 2: twin, 4: tenant}
    assert result.report.tenants == {tenant.pk: 2, twin.pk: 1}
    assert result.report.counts["rejected"] == 1


def test_a_tenant_of_two_workspaces_needs_a_workspace(tenant: Tenant) -> None:
    twin = TenantFactory(external_id=tenant.external_id, workspace=WorkspaceFactory(slug="other"))
    row = source_row(tenant, id=9, workspace="")

    without_workspace = run_import(row)
    with_workspace = run_import(row, workspace="other")

    assert list(without_workspace.report.reasons) == [
        "tenant: in several workspaces; select one with --workspace"
    ]
    assert with_workspace.report.counts == {"imported": 1}
    assert InventorySyncRun.objects.get(pk=9).tenant == twin


@pytest.mark.parametrize("kind", TABLES)
def test_a_row_is_mapped_to_its_run(kind: str, tenant: Tenant) -> None:
    run = create_canonical_run(tenant, kind)

    result = run_import(source_row(tenant, id=4, **columns_of_run(run)), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=4)
    assert (row.operation_run, row.was_operation_run_id) == (run, run.pk)
    assert result.report.mapped == 1


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "unrelated",
    [
        {"type": "restore.execute"},
        {"type": "provider_connection.check"},
        {"created_at": dt.datetime(2024, 3, 10, tzinfo=dt.UTC)},
        {"created_at": dt.datetime(2024, 3, 5, tzinfo=dt.UTC)},
    ],
)
def test_a_row_is_not_mapped_to_an_unrelated_run_with_the_same_number(
    unrelated: dict[str, Any], kind: str, tenant: Tenant
) -> None:
    """Both installations number their own runs."""
    at = dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
    run = create_canonical_run(tenant, kind, **{"created_at": at} | unrelated)

    result = run_import(source_row(tenant, id=4, operation_run_id=run.pk), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=4)
    assert (row.operation_run_id, row.was_operation_run_id) == (None, None)
    assert result.report.mapped == 0


def test_a_row_whose_run_is_already_removed_keeps_the_number_of_the_run(
    tenant: Tenant, settings: Any
) -> None:
    settings.RUN_KEEP_LAST = 1
    run, unrelated = (
        create_past_run(tenant, 900, type=each) for each in ("inventory.sync", RESTORE)
    )
    for each in ("inventory.sync", RESTORE):
        create_past_run(tenant, 1, type=each)
    prune(tenant.workspace)

    run_import(
        source_row(tenant, id=4, **columns_of_run(run)),
        source_row(tenant, id=5, **columns_of_run(unrelated)),
    )

    rows = InventorySyncRun.objects.in_bulk([4, 5])
    assert OperationRunTombstone.objects.filter(pk__in=[run.pk, unrelated.pk]).count() == 2
    assert (rows[4].operation_run_id, rows[4].was_operation_run_id) == (None, run.pk)
    assert rows[5].was_operation_run_id is None, "a run of another type"


@pytest.mark.parametrize("owner", ["another tenant", "another workspace", "no one"])
def test_a_row_is_not_mapped_to_a_run_of_another_tenant(owner: str, tenant: Tenant) -> None:
    at = dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
    runs = {
        "another tenant": lambda: (
            create_canonical_run(TenantFactory(workspace=tenant.workspace), created_at=at).pk
        ),
        "another workspace": lambda: create_canonical_run(TenantFactory(), created_at=at).pk,
        "no one": lambda: 2**62,
    }

    run_import(source_row(tenant, id=4, operation_run_id=runs[owner](), created_at=at.isoformat()))

    row = InventorySyncRun.objects.get(pk=4)
    assert (row.operation_run_id, row.was_operation_run_id) == (None, None)


# --- repeated imports  -------------------------------------------------------------------------


def test_a_repeated_import_changes_nothing_and_reports_it(tenant: Tenant) -> None:
    rows = [source_row(tenant, id=each) for each in range(1, 2 * BATCH + 5)]
    run_import(*rows)
    before = list(InventorySyncRun.objects.order_by("pk").values())

    again = run_import(*rows)

    assert again.report.counts == {"already imported": len(rows)}
    assert list(InventorySyncRun.objects.order_by("pk").values()) == before


def test_a_repeated_import_accepts_a_row_whose_run_was_pruned(tenant: Tenant) -> None:
    run = create_canonical_run(tenant)
    row = source_row(tenant, id=4, **columns_of_run(run))
    run_import(row)
    prune_run(run)

    assert run_import(row).report.counts == {"already imported": 1}


def test_a_row_whose_id_has_other_values_is_rejected_and_the_existing_row_stays(
    tenant: Tenant,
) -> None:
    run_import(source_row(tenant, id=4, status="success"))

    result = run_import(
        source_row(tenant, id=4, status="failed"),
        source_row(tenant, id=5),
        source_row(tenant, id=5),
    )

    assert result.report.counts == {"imported": 1, "already imported": 1, "rejected": 1}
    assert set(result.report.reasons) == {"id: in use by a row with other values"}
    assert InventorySyncRun.objects.get(pk=4).status == "success"


def test_a_dry_run_gives_the_same_report_and_imports_nothing(tenant: Tenant) -> None:
    rows = (source_row(tenant, id=1), source_row(tenant, id=2, status=""), source_row(tenant, id=3))

    dry = run_import(*rows, dry_run=True)

    assert not InventorySyncRun.objects.exists()
    assert dry.report == run_import(*rows).report


def test_a_dry_run_gives_the_same_report_for_a_repeated_id(tenant: Tenant) -> None:
    rows = [source_row(tenant, id=each) for each in (*range(1, BATCH + 1), 1)]

    dry = run_import(*rows, dry_run=True)

    assert dry.report.counts == {"imported": BATCH, "already imported": 1}
    assert dry.report == run_import(*rows).report


@pytest.mark.race
def test_a_row_that_another_import_adds_at_the_same_time_is_already_imported(
    tenant: Tenant,
) -> None:
    """The second import waits for the first, and then sees its row."""
    row = source_row(tenant, id=5)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Import(INVENTORY).run([(2, row)])
            second = pool.submit(import_in_a_thread, row)
            wait_until_blocked()
        result = second.result()

    assert result.report.counts == {"already imported": 1}


def import_in_a_thread(row: dict[str, Any]) -> Import:
    try:
        return run_import(row)
    finally:
        connections.close_all()


def wait_until_blocked() -> None:
    """Wait until a session of this database waits for another one."""
    deadline = time.monotonic() + 120
    with psycopg.connect(database_url(), autocommit=True) as watching:
        while time.monotonic() < deadline:
            if watching.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND cardinality(pg_blocking_pids(pid)) > 0"
            ).fetchone():
                return
            time.sleep(0.01)
    raise AssertionError("no session waited")


def test_memory_does_not_grow_with_the_number_of_rows(tenant: Tenant) -> None:
    def peak(batches: int, first: int) -> int:
        rows = ((n, source_row(tenant, id=first + n)) for n in range(batches * BATCH))
        tracemalloc.start()
        Import(INVENTORY).run(rows)
        _, peak_size = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak_size

    small, large = peak(2, 0), peak(10, 10**6)

    assert large < small * 1.5
    assert InventorySyncRun.objects.count() == 12 * BATCH


def test_a_batch_is_imported_completely_or_not_at_all(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch fails in the database; only the first is imported."""
    legacy_import = Import(INVENTORY)
    rows = [source_row(tenant, id=each) for each in range(1, BATCH + 11)]
    parse_row = legacy_import._parse

    def spoil(line: int, row: Any) -> Any:
        parsed = parse_row(line, row)
        if parsed and parsed[1]["id"] == BATCH + 10:
            parsed[1]["status"] = None
        return parsed

    monkeypatch.setattr(legacy_import, "_parse", spoil)

    with pytest.raises(Exception, match="not-null"):
        legacy_import.run(enumerate(rows, start=2))

    assert InventorySyncRun.objects.count() == BATCH


def test_an_import_that_was_killed_can_be_repeated(
    tenant: Tenant, write_csv: Callable[..., str]
) -> None:
    """The real command is killed while it imports, then the same command runs again."""
    rows = [source_row(tenant, id=each) for each in range(1, 30_001)]
    argument = write_csv(*rows)
    environment = os.environ | {"DATABASE_URL": database_url()}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_legacy_runs", "--csv", argument],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not InventorySyncRun.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = InventorySyncRun.objects.count()

    out, _ = command(csv=[argument])

    assert 0 < kept < 30_000, "the kill came too early or too late"
    assert kept % BATCH == 0
    assert f"{kept:,} already imported, {30_000 - kept:,} imported" in out
    assert InventorySyncRun.objects.count() == 30_000


# --- the command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either --source or --csv"),
        ({"csv": ["a=b"], "source": "postgresql://h/d"}, "either --source or --csv"),
        ({"csv": ["nonsense=/x.csv"]}, "KIND=PATH"),
        ({"csv": ["inventory_sync_run="]}, "KIND=PATH"),
        ({"csv": ["inventory_sync_run=/nowhere.csv"]}, "No such file"),
        ({"source": "dbname=x", "workspace": ["unknown"]}, "no workspace"),
        ({"source": "this is no dsn"}, "not a DSN"),
        ({"source": "dbname=x", "rejects": "/nowhere/x"}, "cannot be written"),
        ({"source": "dbname=x", "workspace": ["1=unknown"]}, "no workspace"),
        ({"source": "dbname=x", "workspace": ["contoso", "contoso"]}, "can be set only once"),
    ],
)
def test_invalid_options_are_rejected_with_an_explanation(
    options: dict[str, Any], message: str, tenant: Tenant
) -> None:
    with pytest.raises(CommandError, match=message):
        command(**options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"foo,bar\n1,2\n", "id: missing"),
        (b"id,status\n1,2\n", "tenant_external_id: missing"),
        (b"id,status\n1,2,3,4\n", "more fields than the header names"),
        (b"id,status\n\x00,\x00\n", "id: not a number"),
    ],
)
def test_an_unexpected_file_is_reported_without_a_traceback(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)

    out = command_that_rejects(1, csv=[f"{INVENTORY}={path}"])

    assert message in out


@pytest.mark.parametrize("content", [b"", b"id,status\n", b"\xef\xbb\xbfid,status\n"])
def test_a_file_without_rows_is_no_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(content)

    out, _ = command(csv=[f"{INVENTORY}={path}"])

    assert "no rows" in out


@pytest.mark.parametrize(
    "content", [b"id\n\xff\xfe\n", b"PK\x03\x04\x14\x00\xd8", b'id\n"' + b"x" * 11_000_000]
)
def test_a_file_that_is_not_csv_is_rejected_with_an_explanation(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)

    with pytest.raises(CommandError, match="stopped after 0 rows"):
        command(csv=[f"{INVENTORY}={path}"])


def test_a_byte_order_mark_and_windows_line_ends_are_read(tenant: Tenant, tmp_path: Path) -> None:
    row = source_row(tenant, id=12)
    path = tmp_path / "windows.csv"
    text = ",".join(row) + "\r\n" + ",".join(str(value) for value in row.values()) + "\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert [line for line, _ in CsvFile(path)] == [2]
    assert "1 imported" in command(csv=[f"{INVENTORY}={path}"])[0]


def test_a_password_of_the_source_is_never_shown() -> None:
    source = "postgresql://someone:Sup3r-Gehe1m@127.0.0.1:1/old?connect_timeout=1"

    with pytest.raises(CommandError) as caught:
        command(source=source)

    assert "Sup3r-Gehe1m" not in str(caught.value)
    assert "stopped after 0 rows" in str(caught.value)


# --- from the older installation's database ----------------------------------------------------------


def test_all_three_tables_come_from_the_older_database(older: str, tenant: Tenant) -> None:
    run = create_canonical_run(tenant, created_at=dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC))
    with psycopg.connect(older, autocommit=True) as source:
        source.execute(
            "INSERT INTO inventory_sync_runs SELECT n, 41, %s, 'abc', '{\"a\": 1}', 'success', 4, 3,"
            " 0, '2024-03-08 07:00', '2024-03-08 07:05', '2024-03-08 06:59'"
            " FROM generate_series(1, 2500) n",
            [run.pk],
        )
        source.execute(
            "INSERT INTO entra_group_sync_runs (id, tenant_id, selection_key, status, created_at,"
            " error_summary) VALUES (7, 41, 'all', 'partial', '2024-03-08', 'Too many requests')"
        )
        source.execute(
            "INSERT INTO backup_schedule_runs (id, tenant_id, backup_schedule_id, scheduled_for,"
            " status, created_at) VALUES (9, 41, 2, '2024-03-08 02:30', 'canceled', '2024-03-08')"
        )

    out, _ = command(source=older)

    assert "inventory_sync_run: 2,500 imported" in out
    assert "2,500 of them are mapped to a run" in out
    assert "entra_group_sync_run: 1 imported" in out
    assert "1 into the workspace contoso (tenants: 1)" in out
    assert InventorySyncRun.objects.filter(operation_run=run, status="success").count() == 2500
    row = InventorySyncRun.objects.get(pk=1)
    assert row.started_at == dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC), "without a zone it is UTC"
    assert EntraGroupSyncRun.objects.get(pk=7).error_summary == "Too many requests"
    assert BackupScheduleRun.objects.get(pk=9).status_label == "Cancelled"
    assert command(source=older)[0].count("already imported") == 3


INSERT = (
    "INSERT INTO inventory_sync_runs (id, tenant_id, selection_hash, status, created_at, started_at)"
    " VALUES (%s, %s, 'abc', 'success', %s, '2024-03-08')"
)


def test_a_row_of_a_deleted_tenant_is_reported(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        for row_id, tenant_id in ((1, 41), (2, None), (3, 999)):
            source.execute(INSERT, [row_id, tenant_id, "2024-03-08"])

    out = command_that_rejects(2, source=older)

    assert "1 imported, 2 rejected" in out
    assert "2 rejected, tenant_external_id: missing" in out


def test_an_invalid_time_rejects_only_its_row(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        for row_id, at in enumerate(("infinity", "-infinity", "0044-03-15 BC", None, "2024-03-09")):
            source.execute(INSERT, [row_id, 41, at])

    out = command_that_rejects(3, source=older)

    assert "2 imported, 3 rejected" in out
    assert set(InventorySyncRun.objects.values_list("pk", flat=True)) == {3, 4}
    assert InventorySyncRun.objects.get(pk=3).created_at == dt.datetime(2024, 3, 8, tzinfo=dt.UTC)


def test_a_number_that_is_too_large_rejects_only_its_row(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        source.execute(INSERT, [1, 41, "2024-03-08"])
        source.execute(INSERT, [2, 41, "2024-03-08"])
        huge = f'{{"n": 1{"0" * 5000}}}'
        source.execute("UPDATE inventory_sync_runs SET selection_payload = %s WHERE id = 1", [huge])

    out = command_that_rejects(1, source=older)

    assert "1 rejected, selection_payload: not JSON" in out
    assert list(InventorySyncRun.objects.values_list("pk", flat=True)) == [2]


def test_an_older_database_with_workspaces_is_divided_by_their_numbers(
    older: str, tenant: Tenant
) -> None:
    twin = TenantFactory(external_id=tenant.external_id, workspace=WorkspaceFactory(slug="other"))
    with psycopg.connect(older, autocommit=True) as source:
        source.execute("ALTER TABLE tenants ADD workspace_id bigint")
        source.execute("UPDATE tenants SET workspace_id = 7")
        source.execute("INSERT INTO tenants VALUES (42, %s, 8)", [str(tenant.external_id)])
        source.execute(INSERT, [1, 41, "2024-03-08"])
        source.execute(INSERT, [2, 42, "2024-03-08"])

    command(source=older, workspace=["7=contoso", "8=other"])

    assert InventorySyncRun.objects.get(pk=1).tenant == tenant
    assert InventorySyncRun.objects.get(pk=2).tenant == twin


def test_the_older_database_is_read_a_thousand_rows_at_a_time(older: str) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        source.execute(
            "INSERT INTO inventory_sync_runs (id, tenant_id) SELECT n, 41"
            " FROM generate_series(1, 2500) n"
        )
        rows = OlderDatabase(INVENTORY, older)
        reading = iter(rows)
        for _ in range(1500):
            next(reading)
        queries = source.execute(
            "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND state = 'idle in transaction'"
        ).fetchall()

        assert [text for (text,) in queries if text.startswith("FETCH FORWARD 1000 ")]
        assert rows.share() == 0.6
        assert sum(1 for _ in reading) == 1000


def test_a_database_without_the_tables_is_rejected_with_an_explanation(older: str) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        source.execute("DROP TABLE inventory_sync_runs")

    with pytest.raises(CommandError, match="inventory_sync_run: stopped after 0 rows"):
        command(source=older)


def test_the_older_database_is_only_read(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older) as watching:
        before = watching.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
        ).fetchone()
    command(source=older)
    with psycopg.connect(older) as watching:
        assert (
            before
            == watching.execute(
                "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
            ).fetchone()
        )
