"""Measures what an import of legacy runs costs: time as ratios, memory in megabytes.

    python -m dev.bench.importing [--rows 200000]

It imports rows into a separate workspace in three ways: in batches as `import_legacy_runs` does, one
row per transaction, and in batches again over existing rows. It also prints by how much the memory
of the process grew after the first tenth; a stream does not grow. It removes its data at the end.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection, transaction  # noqa: E402

from legacy_runs.importing import Import, Report  # noqa: E402
from legacy_runs.models import InventorySyncRun  # noqa: E402
from tenancy.models import Tenant, Workspace  # noqa: E402

KIND = InventorySyncRun.KIND
FIRST = 2**52
SINGLES = 500


def rows(tenant: Tenant, first: int, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows of texts, as a CSV file does."""
    for number in range(count):
        yield (
            number,
            {
                "id": str(first + number),
                "tenant_external_id": str(tenant.external_id),
                "status": "success",
                "created_at": "2024-03-08T07:00:00Z",
                "started_at": "2024-03-08T07:00:05Z",
                "finished_at": "2024-03-08T07:01:00Z",
                "selection_hash": f"{number:064x}",
                "selection_payload": '{"policy_types": ["compliance", "settingsCatalog"]}',
                "items_observed_count": "40",
            },
        )


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_batches(workspace: Workspace, tenant: Tenant, count: int) -> tuple[float, float]:
    """Return the seconds per row, and by how many MB the process grew after the first tenth."""
    early: list[float] = []

    def record_memory(report: Report) -> None:
        if not early and report.rows >= count // 10:
            early.append(peak_memory())

    started = time.perf_counter()
    legacy_import = Import(KIND, workspace=workspace.slug)
    legacy_import.on_progress = record_memory
    legacy_import.run(rows(tenant, FIRST, count))
    return (time.perf_counter() - started) / count, peak_memory() - early[0]


def one_by_one(workspace: Workspace, tenant: Tenant, first: int) -> float:
    """Return the seconds per row with one transaction for each row."""
    started = time.perf_counter()
    for row in rows(tenant, first, SINGLES):
        Import(KIND, workspace=workspace.slug).run([row])
    return (time.perf_counter() - started) / SINGLES


def clean_up(workspace: Workspace) -> None:
    """Remove the rows; the guards that forbid it are disabled within the transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        table = InventorySyncRun._meta.db_table  # noqa: SLF001 - Django's own API
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM {table} WHERE workspace_id = %s", [workspace.pk])  # noqa: S608
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("DELETE FROM tenants WHERE workspace_id = %s", [workspace.pk])
    workspace.delete()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000)
    count = options.parse_args().rows
    workspace = Workspace.objects.create(name="Bench", slug=f"bench-{uuid.uuid4().hex[:8]}")
    tenant = Tenant.objects.create(workspace=workspace, name="Bench", external_id=uuid.uuid4())
    try:
        single = one_by_one(workspace, tenant, FIRST + 2 * count)
        batch, growth = in_batches(workspace, tenant, count)
        single = (single + one_by_one(workspace, tenant, FIRST + 3 * count)) / 2
        repeated, _ = in_batches(workspace, tenant, count)
    finally:
        clean_up(workspace)
    sys.stdout.write(
        f"{count:,} legacy runs\n"
        f"in batches: 1.0 (about {1 / batch:,.0f} rows per second on this machine)\n"
        f"one by one: {single / batch:.1f} times as long per row\n"
        f"repeated import: {repeated / batch:.1f} times as long per row\n"
        f"memory after the first tenth: {growth:+.0f} MB\n"
    )


if __name__ == "__main__":
    main()
