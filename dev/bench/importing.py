"""What bringing history here costs: time in ratios of one run, memory in megabytes.

    python -m dev.bench.importing [--rows 200000]

Imports rows into a workspace of its own in three ways that take turns: in batches as
`import_legacy_runs` does, one row a transaction as a loop would, and in batches again over rows that
are there already, as a repeated import does. It also says by how much the memory of the process grew
between the first tenth and the end: a stream does not grow. What it has made is removed at the end.
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
    """Rows as they come out of a CSV file: texts."""
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


def memory() -> float:
    """The most that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_batches(workspace: Workspace, tenant: Tenant, count: int) -> tuple[float, float]:
    """Seconds a row, and MB that the process grew after the first tenth."""
    early: list[float] = []

    def told(report: Report) -> None:
        if not early and report.rows >= count // 10:
            early.append(memory())

    started = time.perf_counter()
    one = Import(KIND, workspace=workspace.slug)
    one.told = told
    one.run(rows(tenant, FIRST, count))
    return (time.perf_counter() - started) / count, memory() - early[0]


def one_by_one(workspace: Workspace, tenant: Tenant, first: int) -> float:
    """Seconds a row where each has a transaction of its own."""
    started = time.perf_counter()
    for one in rows(tenant, first, SINGLES):
        Import(KIND, workspace=workspace.slug).run([one])
    return (time.perf_counter() - started) / SINGLES


def clean_up(workspace: Workspace) -> None:
    """Remove what was made. History refuses that, so the guard is put aside for one transaction."""
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
        batch, grown = in_batches(workspace, tenant, count)
        single = (single + one_by_one(workspace, tenant, FIRST + 3 * count)) / 2
        again, _ = in_batches(workspace, tenant, count)
    finally:
        clean_up(workspace)
    sys.stdout.write(
        f"{count:,} rows of history\n"
        f"in batches: 1.0 (about {1 / batch:,.0f} rows a second here)\n"
        f"one by one: {single / batch:.1f} times as long a row\n"
        f"again, when all are there: {again / batch:.1f} times as long a row\n"
        f"memory after the first tenth: {grown:+.0f} MB\n"
    )


if __name__ == "__main__":
    main()
