"""Only the import writes legacy runs: no other code refers to them, and no operation writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from backups.models import BackupSchedule
from backups.slots import next_slot
from backups.tick import tick
from dev.graph_sandbox.control import SandboxControl
from inventory import services as inventory
from legacy_runs.models import TABLES
from operations.models import OperationRun
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from tenancy.models import User
from tests.support.factories.legacy_runs import create_legacy_runs_of_every_kind

ROOT = Path(__file__).resolve().parents[2]
APPS = (
    "redaction", "tenancy", "operations", "providers", "inventory", "backups", "restores",
    "notifications", "config",
)  # fmt: skip
#: The names by which code could reach legacy runs.
WORDS = re.compile(
    "|".join(
        [
            r"legacy_import\b",
            r"legacy_runs\.(importing|models)",
            r"\blegacy_runs_import\b",
            *(model._meta.db_table for model in TABLES.values()),
            *(rf"\b{model.__name__}\b" for model in TABLES.values()),
        ]
    )
)
#: The files that name the permission to write: the import, its role, and the guards.
WRITE_ACCESS = {
    "importing.py",
    "management/commands/grant_import_role.py",
    "management/commands/import_legacy_runs.py",
    "migrations/sql/import_function.reverse.sql",
    "migrations/sql/import_function.sql",
    "migrations/sql/read_only.sql",
}


def sources(folder: str) -> list[Path]:
    paths = (ROOT / folder).rglob("*")
    return [path for path in paths if path.suffix in {".py", ".sql"} and path.is_file()]


def test_no_app_below_refers_to_legacy_runs() -> None:
    references = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for app in APPS
        for path in sources(app)
        if (match := WORDS.search(path.read_text()))
    ]

    assert references == []


def test_only_the_import_uses_write_access() -> None:
    app = ROOT / "legacy_runs"
    users = {
        str(path.relative_to(app))
        for path in sources("legacy_runs")
        if re.search(r"runledger\.legacy_import|\blegacy_runs_import\b", path.read_text())
    }

    assert users == WRITE_ACCESS


def writes() -> list[tuple[str, int]]:
    """Return how often this session has written to each of the three tables, as PostgreSQL counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE relname = ANY(%s) ORDER BY relname",
            [[model._meta.db_table for model in TABLES.values()]],
        )
        counts: list[tuple[str, int]] = cursor.fetchall()
    return counts


@pytest.mark.django_db
def test_no_operation_writes_legacy_runs(
    schedule: BackupSchedule,
    back_up: Callable[[BackupSchedule], OperationRun],
    retry: Callable[[OperationRun], OperationRun],
    graph: SandboxControl,
    operator: User,
) -> None:
    tenant = schedule.tenant
    create_legacy_runs_of_every_kind(tenant)
    before = writes()
    assert [count > 0 for _, count in before] == [True] * 3, "the counter works"

    graph.fault(tenant.external_id, "forbid", kind="conditional_access")
    manual = back_up(schedule)
    graph.clear()
    repeated = retry(manual)
    slot = next_slot(schedule.cron, schedule.timezone, schedule.settled_until)
    BackupSchedule.objects.filter(pk=schedule.pk).update(next_run_at=slot)
    tick(slot)
    scheduled = run_now(OperationRun.objects.get(type="backup_schedule.scheduled"))
    synced = [
        run_now(inventory.start_sync(each, tenant, by=operator).run)
        for each in (OperationRunType.INVENTORY_SYNC, OperationRunType.DIRECTORY_GROUPS_SYNC)
    ]

    assert manual.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    for run in (repeated, scheduled, *synced):
        assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert writes() == before
