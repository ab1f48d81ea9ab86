"""Bringing history from an older installation: all of it, once, and nothing that is not true."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command

from legacy_runs.columns import Malformed, parse
from legacy_runs.importing import BATCH, Import, from_csv
from legacy_runs.models import TABLES, BackupScheduleRun, EntraGroupSyncRun, InventorySyncRun
from tenancy.models import Tenant
from tests.factories import OperationRunFactory, TenantFactory, WorkspaceFactory
from tests.integration.stack import database_url
from tests.legacy_runs.factories import GUIDE, raw
from tests.legacy_runs.test_guards import remove

pytestmark = pytest.mark.django_db(transaction=True)

INVENTORY, GROUPS, SCHEDULES = TABLES
GUID = "0b1d5c3e-8a44-4f0e-9d7e-2f6a1c9b7e01"
ROW = GUIDE | {"id": "5", "tenant_external_id": GUID}


def imported(*rows: dict[str, Any], kind: str = INVENTORY, **options: Any) -> Import:
    one = Import(kind, **options)
    one.run(enumerate(rows, start=2))
    return one


def command(**options: Any) -> tuple[str, str]:
    """Run the command; what it said on each of its outputs."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_legacy_runs", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., str]:
    """Writes rows as a CSV file; its argument for the command."""

    def write(*rows: dict[str, Any], kind: str = INVENTORY, name: str = "rows.csv") -> str:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return f"{kind}={path}"

    return write


# --- one row -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", ""),
        ("id", "-1"),
        ("id", "1.0"),
        ("id", "\uff11\uff12"),
        ("id", "9" * 5000),
        ("id", str(2**63)),
        ("id", "1\x00"),
        ("tenant_external_id", "not-a-guid"),
        ("tenant_external_id", f"urn:uuid:{GUID}"),
        ("status", ""),
        ("status", "\x00\x01"),
        ("created_at", "yesterday"),
        ("created_at", "2026-02-30T00:00:00Z"),
        ("created_at", "0001-01-01T00:00:00-14:00"),
        ("created_at", "2024-01-01T00:00:00Z\x00"),
        ("created_at", "9999-12-31T23:59:59-14:00"),
        ("items_observed_count", "-3"),
        ("items_observed_count", "many"),
        ("selection_payload", "{"),
        ("selection_payload", "[" * 5000),
        ("selection_payload", "1" * 1_000_001),
    ],
)
def test_a_malformed_value_is_named_and_not_quoted(column: str, value: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(INVENTORY, ROW | {column: value})

    assert str(caught.value).startswith(f"{column}: ")
    assert not value or len(value) < 4 or value not in str(caught.value)


def test_a_row_comes_in_as_it_was(tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    one = imported(
        raw(
            tenant,
            id=77,
            operation_run_id=run.pk,
            status="success",
            selection_payload='{"policy_types": ["compliance"]}',
            items_observed_count="40",
            created_at="2024-03-08 08:00:00+01:00",
        )
    )

    row = InventorySyncRun.objects.get(pk=77)
    assert one.report.counts == {"imported": 1}
    assert (row.tenant, row.workspace) == (tenant, tenant.workspace)
    assert (row.operation_run, row.was_operation_run_id) == (run, run.pk)
    assert row.created_at == dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC)
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

    imported(raw(tenant, id=3, **columns), kind=kind)

    values = str(TABLES[kind]._default_manager.filter(pk=3).values().get())
    assert "c2lnbmF0dXJlLXBhcnQ" not in values


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_status_is_kept_and_shown_as_it_is(kind: str, tenant: Tenant) -> None:
    imported(raw(tenant, id=3, status="half_done"), kind=kind)

    row: Any = TABLES[kind]._default_manager.get(pk=3)
    assert (row.status, row.status_label) == ("half_done", "half_done")


# --- tenants and runs --------------------------------------------------------------------------------


def test_a_tenant_that_is_not_known_here_is_skipped_with_the_reason(tenant: Tenant) -> None:
    one = imported(raw(tenant, tenant_external_id=str(uuid.uuid4())), raw(tenant))

    assert one.report.counts == {"imported": 1, "skipped": 1}
    assert one.report.reasons == {"tenant: not known here": 1}


def test_a_tenant_of_two_workspaces_needs_a_workspace(tenant: Tenant) -> None:
    twin = TenantFactory(external_id=tenant.external_id, workspace=WorkspaceFactory(slug="other"))
    row = raw(tenant, id=9, workspace="")

    asked = imported(row)
    told = imported(row, workspace="other")

    assert list(asked.report.reasons) == [
        "tenant: in several workspaces; name one with --workspace"
    ]
    assert told.report.counts == {"imported": 1}
    assert InventorySyncRun.objects.get(pk=9).tenant == twin


@pytest.mark.parametrize("whose", ["another tenant", "another workspace", "nobody"])
def test_a_run_that_is_not_this_tenant_s_is_not_mapped(whose: str, tenant: Tenant) -> None:
    runs = {
        "another tenant": lambda: (
            OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace)).pk
        ),
        "another workspace": lambda: OperationRunFactory().pk,
        "nobody": lambda: 2**62,
    }

    imported(raw(tenant, id=4, operation_run_id=runs[whose]()))

    row = InventorySyncRun.objects.get(pk=4)
    assert (row.operation_run_id, row.was_operation_run_id) == (None, None)


# --- again, and after a kill -------------------------------------------------------------------------


def test_importing_again_changes_nothing_and_says_so(tenant: Tenant) -> None:
    rows = [raw(tenant, id=each) for each in range(1, 2 * BATCH + 5)]
    imported(*rows)
    before = list(InventorySyncRun.objects.order_by("pk").values())

    again = imported(*rows)

    assert again.report.counts == {"already there": len(rows)}
    assert list(InventorySyncRun.objects.order_by("pk").values()) == before


def test_importing_again_after_the_run_was_pruned_is_no_conflict(tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    row = raw(tenant, id=4, operation_run_id=run.pk)
    imported(row)
    remove(run)

    assert imported(row).report.counts == {"already there": 1}


def test_an_id_that_says_something_else_here_is_skipped_and_the_row_stays(tenant: Tenant) -> None:
    imported(raw(tenant, id=4, status="success"))

    one = imported(raw(tenant, id=4, status="failed"), raw(tenant, id=5), raw(tenant, id=5))

    assert one.report.counts == {"imported": 1, "skipped": 2}
    assert set(one.report.reasons) == {
        "id: taken by a row that says something else",
        "the same id stands in this file before",
    }
    assert InventorySyncRun.objects.get(pk=4).status == "success"


def test_a_dry_run_tells_the_same_and_keeps_nothing(tenant: Tenant) -> None:
    rows = (raw(tenant, id=1), raw(tenant, id=2, status=""), raw(tenant, id=3))

    dry = imported(*rows, dry_run=True)

    assert not InventorySyncRun.objects.exists()
    assert dry.report == imported(*rows).report


def test_a_batch_is_taken_whole_or_not_at_all(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch fails in the database: the first stays, nothing of the second does."""
    one = Import(INVENTORY)
    rows = [raw(tenant, id=each) for each in range(1, BATCH + 11)]
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
    rows = [raw(tenant, id=each) for each in range(1, 30_001)]
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


def test_the_command_reports_and_writes_what_it_did_not_take(
    tenant: Tenant, write_csv: Callable[..., str], tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    argument = write_csv(
        raw(tenant, id=1), raw(tenant, id="=cmd|1"), raw(tenant, id=3, created_at="never")
    )

    out, _ = command(csv=[argument], rejects=str(rejects))

    assert "1 imported, 2 skipped" in out
    assert "created_at: not a time" in out
    with rejects.open(newline="", encoding="utf-8") as file:
        told = list(csv.reader(file))
    assert told[0] == ["kind", "line", "id", "reason"]
    assert [row[:3] for row in told[1:]] == [
        [INVENTORY, "3", "'=cmd|1"],
        [INVENTORY, "4", "3"],
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "either --source or --csv"),
        ({"csv": ["a=b"], "source": "postgresql://h/d"}, "either --source or --csv"),
        ({"csv": ["nonsense=/x.csv"]}, "KIND=PATH"),
        ({"csv": ["inventory_sync_run="]}, "KIND=PATH"),
        ({"csv": ["inventory_sync_run=/nowhere.csv"]}, "No such file"),
        ({"csv": ["inventory_sync_run=/x.csv"], "workspace": "nobody"}, "no workspace"),
        ({"source": "this is no dsn"}, "not a DSN"),
        ({"csv": ["inventory_sync_run=/x.csv"], "rejects": "/nowhere/x.csv"}, "cannot be written"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(options: dict[str, Any], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        command(**options)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no rows"),
        (b"id,status\n", "no rows"),
        (b"\xef\xbb\xbfid,status\n", "no rows"),
        (b"foo,bar\n1,2\n", "id: missing"),
        (b"id,status\n1,2,3,4\n", "tenant_external_id: missing"),
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
    row = raw(tenant, id=12)
    path = tmp_path / "windows.csv"
    text = ",".join(row) + "\r\n" + ",".join(str(value) for value in row.values()) + "\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert [line for line, _ in from_csv(path)] == [2]
    assert "1 imported" in command(csv=[f"{INVENTORY}={path}"])[0]


def test_a_password_of_the_source_is_never_shown() -> None:
    source = "postgresql://someone:Sup3r-Gehe1m@127.0.0.1:1/old?connect_timeout=1"

    with pytest.raises(CommandError) as caught:
        command(source=source)

    assert "Sup3r-Gehe1m" not in str(caught.value)
    assert "stopped after 0 rows" in str(caught.value)


# --- from the older installation's database ----------------------------------------------------------

OLDER = """
CREATE TABLE tenants (id bigint PRIMARY KEY, external_id varchar(64) NOT NULL);
CREATE TABLE inventory_sync_runs (id bigint PRIMARY KEY, tenant_id bigint, operation_run_id bigint,
    selection_hash varchar, selection_payload jsonb, status varchar, items_observed_count int,
    items_upserted_count int, errors_count int, started_at timestamp, finished_at timestamp,
    created_at timestamp, updated_at timestamp);
CREATE TABLE entra_group_sync_runs (id bigint PRIMARY KEY, tenant_id bigint, operation_run_id bigint,
    selection_key varchar, slot_key varchar, status varchar, error_code varchar,
    error_category varchar, error_summary text, pages_fetched int, items_observed_count int,
    items_upserted_count int, error_count int, started_at timestamp, finished_at timestamp,
    created_at timestamp);
CREATE TABLE backup_schedule_runs (id bigint PRIMARY KEY, tenant_id bigint, operation_run_id bigint,
    backup_schedule_id bigint, scheduled_for timestamp, status varchar, summary jsonb,
    error_code varchar, error_message text, backup_set_id bigint, started_at timestamp,
    finished_at timestamp, created_at timestamp);
"""


@pytest.fixture
def older(tenant: Tenant) -> Iterator[str]:
    """The database of an older installation, with a tenant that is known here; its address."""
    name = f"older_{uuid.uuid4().hex[:8]}"
    here = database_url()
    address = urlsplit(here)._replace(path=f"/{name}").geturl()
    with psycopg.connect(here, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(address, autocommit=True) as made:
        made.execute(OLDER)
        made.execute("INSERT INTO tenants VALUES (41, %s)", [str(tenant.external_id).upper()])
    yield address
    with psycopg.connect(here, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_all_three_tables_come_from_the_older_database(older: str, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
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

    assert out.count("imported") == 3
    assert InventorySyncRun.objects.filter(operation_run=run, status="success").count() == 2500
    row = InventorySyncRun.objects.get(pk=1)
    assert row.started_at == dt.datetime(2024, 3, 8, 7, tzinfo=dt.UTC), "without a zone it is UTC"
    assert EntraGroupSyncRun.objects.get(pk=7).error_summary == "Too many requests"
    assert BackupScheduleRun.objects.get(pk=9).status_label == "Cancelled"
    assert command(source=older)[0].count("already there") == 3


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
