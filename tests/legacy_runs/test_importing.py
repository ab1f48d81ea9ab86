"""Bringing history from an older installation: all of it, once, and nothing that is not true."""

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
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError
from django.db import connections

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
from legacy_runs.write_access import allow_import
from operations.models import OperationRunTombstone
from tenancy.models import Tenant
from tests.legacy_runs.importing import command
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


def imported(*rows: dict[str, Any], kind: str = INVENTORY, **options: Any) -> Import:
    one = Import(kind, **options)
    one.run(enumerate(rows, start=2))
    return one


# --- one row -----------------------------------------------------------------------------------------


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
def test_what_tells_rows_apart_is_kept_to_the_letter(key: str) -> None:
    group = parse(GROUPS, ROW | {"selection_key": key, "slot_key": f"token={key}"})

    assert parse(INVENTORY, ROW | {"selection_hash": key})["selection_hash"] == key
    assert (group["selection_key"], group["slot_key"]) == (key, f"token={key}")


def test_a_large_selection_comes_in_whole() -> None:
    payload = {"policy_ids": [f"policy-{number}" for number in range(3500)]}

    assert parse(INVENTORY, ROW | {"selection_payload": payload})["selection_payload"] == payload


@pytest.mark.parametrize("name", ["started_at", "scheduled_for"])
def test_a_row_that_does_not_say_when_it_was_made_is_placed_by_what_it_says(name: str) -> None:
    row = {name: "2024-03-08T07:00:00Z", "created_at": None}
    others = dict.fromkeys({"started_at", "scheduled_for"} - {name})

    assert parse(INVENTORY, ROW | others | row)["created_at"] == "2024-03-08T07:00:00+00:00"


def test_a_row_comes_in_as_it_was(tenant: Tenant) -> None:
    one = imported(
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
    assert one.report.counts == {"imported": 1}
    assert (row.tenant, row.workspace) == (tenant, tenant.workspace)
    assert row.created_at == dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
    assert row.updated_at == dt.datetime(2024, 3, 8, 7, 2, tzinfo=dt.UTC)
    assert row.selection_payload == {"policy_types": ["compliance"]}
    assert (row.items_observed_count, row.errors_count) == (40, 0)


@pytest.mark.parametrize("kind", TABLES)
def test_a_secret_of_the_older_installation_does_not_come_along(kind: str, tenant: Tenant) -> None:
    secret = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJlLXBhcnQ"
    told = f"Authorization: Bearer {secret}"
    columns = {
        "error_summary": told,
        "error_message": told,
        "selection_payload": {"header": told},
        "summary": {"header": told},
        "status": "failed",
    }

    imported(source_row(tenant, id=3, **columns), kind=kind)

    values = str(TABLES[kind]._default_manager.filter(pk=3).values().get())
    assert "c2lnbmF0dXJlLXBhcnQ" not in values


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_status_is_kept_and_shown_as_it_is(kind: str, tenant: Tenant) -> None:
    imported(source_row(tenant, id=3, status="half_done"), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=3)
    assert (row.status, row.status_label) == ("half_done", "half_done")


# --- tenants and runs --------------------------------------------------------------------------------


def test_a_tenant_that_is_not_known_here_is_skipped_with_the_reason(tenant: Tenant) -> None:
    one = imported(source_row(tenant, tenant_external_id=str(uuid.uuid4())), source_row(tenant))

    assert one.report.counts == {"imported": 1, "skipped": 1}
    assert one.report.reasons == {"tenant: not known here": 1}


def test_the_older_number_of_a_workspace_says_whose_the_rows_are(tenant: Tenant) -> None:
    """Two workspaces look after one tenant, here and in the older installation."""
    twin = TenantFactory(external_id=tenant.external_id, workspace=WorkspaceFactory(slug="other"))
    rows = [
        source_row(tenant, id=1, workspace="", workspace_id=7),
        source_row(tenant, id=2, workspace="", workspace_id="8"),
        source_row(tenant, id=3, workspace="", workspace_id=9),
        source_row(tenant, id=4, workspace="contoso"),
    ]

    one = imported(*rows, workspaces={"7": "contoso", "8": "other"})

    found = {row.pk: row.tenant for row in InventorySyncRun.objects.all()}
    assert found == {1: tenant, 2: twin, 4: tenant}
    assert one.report.tenants == {tenant.pk: 2, twin.pk: 1}
    assert one.report.counts["skipped"] == 1


def test_a_tenant_of_two_workspaces_needs_a_workspace(tenant: Tenant) -> None:
    twin = TenantFactory(external_id=tenant.external_id, workspace=WorkspaceFactory(slug="other"))
    row = source_row(tenant, id=9, workspace="")

    asked = imported(row)
    told = imported(row, workspace="other")

    assert list(asked.report.reasons) == [
        "tenant: in several workspaces; name one with --workspace"
    ]
    assert told.report.counts == {"imported": 1}
    assert InventorySyncRun.objects.get(pk=9).tenant == twin


@pytest.mark.parametrize("kind", TABLES)
def test_a_run_of_this_tenant_is_mapped_if_it_is_the_row_s(kind: str, tenant: Tenant) -> None:
    run = create_canonical_run(tenant, kind)

    one = imported(source_row(tenant, id=4, **columns_of_run(run)), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=4)
    assert (row.operation_run, row.was_operation_run_id) == (run, run.pk)
    assert one.report.mapped == 1


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "strange",
    [
        {"type": "restore.execute"},
        {"type": "provider_connection.check"},
        {"created_at": dt.datetime(2024, 3, 10, tzinfo=dt.UTC)},
        {"created_at": dt.datetime(2024, 3, 5, tzinfo=dt.UTC)},
    ],
)
def test_a_number_that_is_another_run_s_here_is_not_mapped(
    strange: dict[str, Any], kind: str, tenant: Tenant
) -> None:
    """The older installation numbered its own runs, and so does this one."""
    at = dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
    run = create_canonical_run(tenant, kind, **{"created_at": at} | strange)

    one = imported(source_row(tenant, id=4, operation_run_id=run.pk), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=4)
    assert (row.operation_run_id, row.was_operation_run_id) == (None, None)
    assert one.report.mapped == 0


def test_a_row_whose_run_was_removed_before_it_came_still_tells_of_it(
    tenant: Tenant, settings: Any
) -> None:
    settings.RUN_KEEP_LAST = 1
    run, strange = (create_past_run(tenant, 900, type=each) for each in ("inventory.sync", RESTORE))
    for each in ("inventory.sync", RESTORE):
        create_past_run(tenant, 1, type=each)
    prune(tenant.workspace)

    imported(
        source_row(tenant, id=4, **columns_of_run(run)),
        source_row(tenant, id=5, **columns_of_run(strange)),
    )

    rows = InventorySyncRun.objects.in_bulk([4, 5])
    assert OperationRunTombstone.objects.filter(pk__in=[run.pk, strange.pk]).count() == 2
    assert (rows[4].operation_run_id, rows[4].was_operation_run_id) == (None, run.pk)
    assert rows[5].was_operation_run_id is None, "a run that did something else"


@pytest.mark.parametrize("whose", ["another tenant", "another workspace", "nobody"])
def test_a_run_that_is_not_this_tenant_s_is_not_mapped(whose: str, tenant: Tenant) -> None:
    at = dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
    runs = {
        "another tenant": lambda: (
            create_canonical_run(TenantFactory(workspace=tenant.workspace), created_at=at).pk
        ),
        "another workspace": lambda: create_canonical_run(TenantFactory(), created_at=at).pk,
        "nobody": lambda: 2**62,
    }

    imported(source_row(tenant, id=4, operation_run_id=runs[whose](), created_at=at.isoformat()))

    row = InventorySyncRun.objects.get(pk=4)
    assert (row.operation_run_id, row.was_operation_run_id) == (None, None)


# --- again, and after a kill -------------------------------------------------------------------------


def test_importing_again_changes_nothing_and_says_so(tenant: Tenant) -> None:
    rows = [source_row(tenant, id=each) for each in range(1, 2 * BATCH + 5)]
    imported(*rows)
    before = list(InventorySyncRun.objects.order_by("pk").values())

    again = imported(*rows)

    assert again.report.counts == {"already there": len(rows)}
    assert list(InventorySyncRun.objects.order_by("pk").values()) == before


def test_importing_again_after_the_run_was_pruned_is_no_conflict(tenant: Tenant) -> None:
    run = create_canonical_run(tenant)
    row = source_row(tenant, id=4, **columns_of_run(run))
    imported(row)
    prune_run(run)

    assert imported(row).report.counts == {"already there": 1}


def test_an_id_that_says_something_else_here_is_skipped_and_the_row_stays(tenant: Tenant) -> None:
    imported(source_row(tenant, id=4, status="success"))

    one = imported(
        source_row(tenant, id=4, status="failed"),
        source_row(tenant, id=5),
        source_row(tenant, id=5),
    )

    assert one.report.counts == {"imported": 1, "already there": 1, "skipped": 1}
    assert set(one.report.reasons) == {"id: taken by a row that says something else"}
    assert InventorySyncRun.objects.get(pk=4).status == "success"


def test_a_dry_run_tells_the_same_and_keeps_nothing(tenant: Tenant) -> None:
    rows = (source_row(tenant, id=1), source_row(tenant, id=2, status=""), source_row(tenant, id=3))

    dry = imported(*rows, dry_run=True)

    assert not InventorySyncRun.objects.exists()
    assert dry.report == imported(*rows).report


def test_a_dry_run_tells_the_same_of_an_id_that_comes_again_later(tenant: Tenant) -> None:
    rows = [source_row(tenant, id=each) for each in (*range(1, BATCH + 1), 1)]

    dry = imported(*rows, dry_run=True)

    assert dry.report.counts == {"imported": BATCH, "already there": 1}
    assert dry.report == imported(*rows).report


@pytest.mark.race
def test_a_row_that_another_import_is_adding_is_already_there(tenant: Tenant) -> None:
    """The loser waits for the winner, and then sees the winner's row."""
    row = source_row(tenant, id=5)
    with ThreadPoolExecutor(1) as pool:
        with allow_import():
            Import(INVENTORY, open_transaction=nullcontext).run([(2, row)])
            second = pool.submit(in_a_thread, row)
            wait_until_blocked()
        one = second.result()

    assert one.report.counts == {"already there": 1}


def in_a_thread(row: dict[str, Any]) -> Import:
    try:
        return imported(row)
    finally:
        connections.close_all()


def wait_until_blocked() -> None:
    """Until a session of this database waits for another one."""
    deadline = time.monotonic() + 30
    with psycopg.connect(database_url(), autocommit=True) as watching:
        while time.monotonic() < deadline:
            if watching.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND cardinality(pg_blocking_pids(pid)) > 0"
            ).fetchone():
                return
            time.sleep(0.01)
    raise AssertionError("nobody waited")


def test_memory_does_not_grow_with_the_number_of_rows(tenant: Tenant) -> None:
    def peak(batches: int, first: int) -> int:
        rows = ((n, source_row(tenant, id=first + n)) for n in range(batches * BATCH))
        tracemalloc.start()
        Import(INVENTORY).run(rows)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small, large = peak(2, 0), peak(10, 10**6)

    assert large < small * 1.5
    assert InventorySyncRun.objects.count() == 12 * BATCH


def test_a_batch_is_taken_whole_or_not_at_all(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch fails in the database: the first stays, nothing of the second does."""
    one = Import(INVENTORY)
    rows = [source_row(tenant, id=each) for each in range(1, BATCH + 11)]
    parsed = one._parsed

    def spoil(line: int, row: Any) -> Any:
        found = parsed(line, row)
        if found and found[1]["id"] == BATCH + 10:
            found[1]["status"] = None
        return found

    monkeypatch.setattr(one, "_parsed", spoil)

    with pytest.raises(Exception, match="not-null"):
        one.run(enumerate(rows, start=2))

    assert InventorySyncRun.objects.count() == BATCH


def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(
    tenant: Tenant, write_csv: Callable[..., str]
) -> None:
    """SIGKILL of the real command while it imports; then the same command again."""
    rows = [source_row(tenant, id=each) for each in range(1, 30_001)]
    argument = write_csv(*rows)
    environment = os.environ | {"DATABASE_URL": database_url()}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_legacy_runs", "--csv", argument],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not InventorySyncRun.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = InventorySyncRun.objects.count()

    out, _ = command(csv=[argument])

    assert 0 < kept < 30_000, "the kill came too early or too late"
    assert kept % BATCH == 0
    assert f"{kept:,} already there, {30_000 - kept:,} imported" in out
    assert InventorySyncRun.objects.count() == 30_000


# --- the command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "either --source or --csv"),
        ({"csv": ["a=b"], "source": "postgresql://h/d"}, "either --source or --csv"),
        ({"csv": ["nonsense=/x.csv"]}, "KIND=PATH"),
        ({"csv": ["inventory_sync_run="]}, "KIND=PATH"),
        ({"csv": ["inventory_sync_run=/nowhere.csv"]}, "No such file"),
        ({"source": "dbname=x", "workspace": ["nobody"]}, "no workspace"),
        ({"source": "this is no dsn"}, "not a DSN"),
        ({"source": "dbname=x", "rejects": "/nowhere/x"}, "cannot be written"),
        ({"source": "dbname=x", "workspace": ["1=nobody"]}, "no workspace"),
        ({"source": "dbname=x", "workspace": ["contoso", "contoso"]}, "say once"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    options: dict[str, Any], says: str, tenant: Tenant
) -> None:
    with pytest.raises(CommandError, match=says):
        command(**options)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no rows"),
        (b"id,status\n", "no rows"),
        (b"\xef\xbb\xbfid,status\n", "no rows"),
        (b"foo,bar\n1,2\n", "id: missing"),
        (b"id,status\n1,2\n", "tenant_external_id: missing"),
        (b"id,status\n1,2,3,4\n", "more fields than the header names"),
        (b"id,status\n\x00,\x00\n", "id: not a number"),
    ],
)
def test_an_odd_file_is_no_traceback(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)

    out, _ = command(csv=[f"{INVENTORY}={path}"])

    assert says in out


@pytest.mark.parametrize(
    "content", [b"id\n\xff\xfe\n", b"PK\x03\x04\x14\x00\xd8", b'id\n"' + b"x" * 11_000_000]
)
def test_a_file_that_is_no_csv_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
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
    assert "2,500 of them lead to a run here" in out
    assert "entra_group_sync_run: 1 imported" in out
    assert "1 into the workspace contoso (tenants: 1)" in out
    assert InventorySyncRun.objects.filter(operation_run=run, status="success").count() == 2500
    row = InventorySyncRun.objects.get(pk=1)
    assert row.started_at == dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC), "without a zone it is UTC"
    assert EntraGroupSyncRun.objects.get(pk=7).error_summary == "Too many requests"
    assert BackupScheduleRun.objects.get(pk=9).status_label == "Cancelled"
    assert command(source=older)[0].count("already there") == 3


INSERT = (
    "INSERT INTO inventory_sync_runs (id, tenant_id, selection_hash, status, created_at, started_at)"
    " VALUES (%s, %s, 'abc', 'success', %s, '2024-03-08')"
)


def test_a_row_whose_tenant_is_gone_is_told(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        for row_id, tenant_id in ((1, 41), (2, None), (3, 999)):
            source.execute(INSERT, [row_id, tenant_id, "2024-03-08"])

    out, _ = command(source=older)

    assert "1 imported, 2 skipped" in out
    assert "2 skipped, tenant_external_id: missing" in out


def test_a_time_that_is_none_costs_its_row_alone(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        for row_id, at in enumerate(("infinity", "-infinity", "0044-03-15 BC", None, "2024-03-09")):
            source.execute(INSERT, [row_id, 41, at])

    out, _ = command(source=older)

    assert "2 imported, 3 skipped" in out
    assert set(InventorySyncRun.objects.values_list("pk", flat=True)) == {3, 4}
    assert InventorySyncRun.objects.get(pk=3).created_at == dt.datetime(2024, 3, 8, tzinfo=dt.UTC)


def test_a_number_beyond_all_numbers_costs_its_row_alone(older: str, tenant: Tenant) -> None:
    with psycopg.connect(older, autocommit=True) as source:
        source.execute(INSERT, [1, 41, "2024-03-08"])
        source.execute(INSERT, [2, 41, "2024-03-08"])
        huge = f'{{"n": 1{"0" * 5000}}}'
        source.execute("UPDATE inventory_sync_runs SET selection_payload = %s WHERE id = 1", [huge])

    out, _ = command(source=older)

    assert "1 skipped, selection_payload: not JSON" in out
    assert list(InventorySyncRun.objects.values_list("pk", flat=True)) == [2]


def test_a_database_with_workspaces_of_its_own_is_divided_by_their_numbers(
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
        said = source.execute(
            "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND state = 'idle in transaction'"
        ).fetchall()

        assert [text for (text,) in said if text.startswith("FETCH FORWARD 1000 ")]
        assert rows.share() == 0.6
        assert sum(1 for _ in reading) == 1000


def test_another_kind_of_database_is_refused_in_words(older: str) -> None:
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
