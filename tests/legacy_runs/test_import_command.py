"""The import command: its report, its files of rejected rows, and its errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from legacy_runs.importing import BATCH, Import
from legacy_runs.models import TABLES, InventorySyncRun
from legacy_runs.progress import bar
from legacy_runs.sources import CsvFile
from tenancy.models import Tenant
from tests.legacy_runs.importing import command, command_that_rejects
from tests.support.factories.legacy_runs import source_row
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db(transaction=True)

INVENTORY, GROUPS, _ = TABLES
WriteCsv = Callable[..., str]


def read_rejects(folder: Path, kind: str = INVENTORY) -> list[dict[str, str]]:
    with (folder / f"{kind}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rejected_rows_are_written_with_line_and_reason(
    tenant: Tenant, write_csv: WriteCsv, tmp_path: Path
) -> None:
    argument = write_csv(
        source_row(tenant, id=1),
        source_row(tenant, id="=cmd|1"),
        source_row(tenant, id=3, created_at="never"),
    )

    out = command_that_rejects(2, csv=[argument], rejects=str(tmp_path / "rejects"))

    assert "1 imported, 2 rejected" in out
    assert "created_at: not a time" in out
    rows = read_rejects(tmp_path / "rejects")
    assert [(row["line"], row["id"]) for row in rows] == [("3", "'=cmd|1"), ("4", "3")]
    assert rows[1]["reason"].startswith("created_at: not a time")


def test_rejected_rows_can_be_corrected_and_imported(
    tenant: Tenant, write_csv: WriteCsv, tmp_path: Path
) -> None:
    payload = '{"policy_types": ["compliance"], "client_secret": "hunter2-hunter2"}'
    argument = write_csv(source_row(tenant, id=3, status="", selection_payload=payload))
    command_that_rejects(1, csv=[argument], rejects=str(tmp_path / "rejects"))
    file = tmp_path / "rejects" / f"{INVENTORY}.csv"
    assert "hunter2" not in file.read_text()

    row = read_rejects(tmp_path / "rejects")[0] | {"status": "success"}
    out, _ = command(csv=[write_csv(row, name="corrected.csv")])

    assert "1 imported" in out
    imported = InventorySyncRun.objects.get(pk=3)
    assert imported.tenant == tenant
    assert imported.selection_payload == {
        "policy_types": ["compliance"],
        "client_secret": "[redacted:15]",
    }
    assert (imported.selection_hash, imported.status) == ("f" * 64, "success")


def test_each_kind_has_its_own_file(tenant: Tenant, write_csv: WriteCsv, tmp_path: Path) -> None:
    arguments = [
        write_csv(source_row(tenant, status=""), kind=kind, name=f"{kind}.csv") for kind in TABLES
    ]

    command_that_rejects(3, csv=arguments, rejects=str(tmp_path / "rejects"))

    assert [read_rejects(tmp_path / "rejects", kind)[0]["line"] for kind in TABLES] == ["2"] * 3


def test_a_rejected_row_of_a_dry_run_is_an_error(tenant: Tenant, write_csv: WriteCsv) -> None:
    argument = write_csv(source_row(tenant, id=1), source_row(tenant, status=""))

    out = command_that_rejects(1, csv=[argument], dry_run=True)

    assert "nothing was imported" in out
    assert not InventorySyncRun.objects.exists()


def test_existing_files_are_not_overwritten(
    tenant: Tenant, write_csv: WriteCsv, tmp_path: Path
) -> None:
    argument = write_csv(source_row(tenant, id=1))
    path = tmp_path / "rows.csv"
    before = path.read_text()

    for place in (path, tmp_path):
        with pytest.raises(CommandError, match="--rejects cannot be written"):
            command(csv=[argument], rejects=str(place))

    assert path.read_text() == before
    assert not InventorySyncRun.objects.exists()


def test_line_numbers_match_those_of_an_editor(tenant: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('id,payload\n1,"a\nb\nc"\n\n2,\n3,"d\ne"\n4,\n')

    assert [(line, row["id"]) for line, row in CsvFile(path)] == [
        (2, "1"),
        (6, "2"),
        (7, "3"),
        (9, "4"),
    ]


@pytest.mark.parametrize("wrong", ["nonsense=/x.csv", f"{INVENTORY}=/nowhere.csv"])
def test_every_file_is_checked_before_the_first_row_is_imported(
    wrong: str, tenant: Tenant, write_csv: WriteCsv
) -> None:
    with pytest.raises(CommandError):
        command(csv=[write_csv(source_row(tenant, id=1)), wrong])

    assert not InventorySyncRun.objects.exists()


@pytest.mark.direct  # behind a pooler, it would end the connection of another client
@pytest.mark.parametrize(("dry_run", "stays"), [(False, BATCH), (True, 0)])
def test_a_lost_database_connection_is_explained(
    dry_run: bool, stays: int, tenant: Tenant, write_csv: WriteCsv, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_batch = Import._import_batch

    def cut(self: Import, batch: Any) -> None:
        if self.report.rows:
            with psycopg.connect(database_url(), autocommit=True) as other:
                assert connection.connection is not None
                pid = connection.connection.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
        import_batch(self, batch)

    monkeypatch.setattr(Import, "_import_batch", cut)
    argument = write_csv(*(source_row(tenant, id=each) for each in range(1, 2 * BATCH)))

    consequence = "nothing was imported" if dry_run else "completed batches are kept"
    with pytest.raises(CommandError, match=f"stopped after 1,000 rows, {consequence}"):
        command(csv=[argument], dry_run=dry_run)

    connection.close()
    assert InventorySyncRun.objects.count() == stays


# --- progress ----------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_progress(tenant: Tenant, write_csv: WriteCsv) -> None:
    argument = write_csv(*(source_row(tenant, id=each) for each in range(1, 4 * BATCH + 1)))
    err = Terminal()

    call_command("import_legacy_runs", csv=[argument], stdout=io.StringIO(), stderr=err)

    lines = err.getvalue().split("\r")[1:]
    assert len(lines) == 4
    shares = [int(line.split("]")[1].split("%")[0]) for line in lines]
    assert shares == sorted(shares)
    assert 20 <= shares[0] <= 30
    assert "2,000 so far" in lines[1]
    assert "rows a second" in lines[1]


def test_a_log_contains_no_progress(tenant: Tenant, write_csv: WriteCsv) -> None:
    out, err = command(csv=[write_csv(source_row(tenant, id=1))])

    assert err == ""
    assert "rows a second" in out


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "[..............................]   0 %"),
        (0.5, "[###############...............]  50 %"),
        (1.0, "[##############################] 100 %"),
    ],
)
def test_the_length_of_the_bar_follows_the_share(share: float, expected: str) -> None:
    assert bar(share) == expected
