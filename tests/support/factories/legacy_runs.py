"""Create legacy runs for tests with the importer."""

from __future__ import annotations

import itertools
from typing import Any

from django.db import connection

from legacy_runs.importing import Import
from legacy_runs.models import TABLES
from operations.models import OperationRun
from operations.testing import allow_pruning
from tenancy.models import Tenant
from tests.support.factories import OperationRunFactory

_IDS = itertools.count(1000)
SOURCE_COLUMNS = {
    "status": "failed",
    "created_at": "2024-03-08T07:00:00Z",
    "started_at": "2024-03-08T07:00:05Z",
    "finished_at": "2024-03-08T07:01:00Z",
    "selection_hash": "f" * 64,
    "selection_key": "all",
    "backup_schedule_id": "7",
    "scheduled_for": "2024-03-08T07:00:00Z",
}


def source_row(tenant: Tenant, **columns: Any) -> dict[str, Any]:
    """Build a row of any kind as an older installation exports it."""
    ids = {"id": next(_IDS), "tenant_external_id": str(tenant.external_id)}
    return SOURCE_COLUMNS | ids | {"workspace": tenant.workspace.slug} | columns


def create_canonical_run(
    tenant: Tenant, kind: str = "inventory_sync_run", **traits: Any
) -> OperationRun:
    """Create a run that a legacy run of this kind can map to."""
    run: OperationRun = OperationRunFactory(
        tenant=tenant, **{"type": TABLES[kind].RUN_TYPES[0].value, "succeeded": True} | traits
    )
    return run


def columns_of_run(run: OperationRun) -> dict[str, Any]:
    """Return the columns that map a legacy run to this run."""
    return {"operation_run_id": run.pk, "created_at": run.created_at.isoformat()}


def create_legacy_run(
    tenant: Tenant,
    kind: str = "inventory_sync_run",
    run: OperationRun | None = None,
    **columns: Any,
) -> Any:
    """Import a legacy run, mapped to its canonical run if there is one."""
    mapping = columns_of_run(run) if run else {}
    row = source_row(tenant, **mapping, **columns)
    report = _import(kind, row)
    assert report.counts["imported"] == 1, report.reasons
    model: Any = TABLES[kind]
    return model.objects.get(pk=row["id"])


def create_legacy_runs_of_every_kind(tenant: Tenant) -> int:
    """Import one row into each table, all with the same id; return the id."""
    row_id = next(_IDS)
    for kind in TABLES:
        create_legacy_run(tenant, kind, id=row_id)
    return row_id


def _import(kind: str, *rows: dict[str, Any]) -> Any:
    return Import(kind).run(enumerate(rows, start=2))


def prune_run(run: OperationRun) -> None:
    """Delete a run as retention does."""
    with allow_pruning(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM operation_runs WHERE id = %s", [run.pk])
