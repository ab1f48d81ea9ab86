"""Measures what the audit log costs; prints ratios, which do not depend on the machine.

    python -m dev.bench.audit [--rounds 20] [--rows 200]

It updates schedules in a column that the audit log ignores, as ticks do, and in one that it records.
PostgreSQL reports how much of each statement its trigger takes. Each round is rolled back.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from statistics import median
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection, transaction  # noqa: E402

from backups.models import BackupSchedule  # noqa: E402
from tenancy.db import database_now  # noqa: E402
from tenancy.models import Tenant, Workspace  # noqa: E402

COLUMNS = {
    "in a column that is ignored": "spread_seconds",
    "in a column that is recorded": "retention_keep_days",
}


def create_schedules(count: int) -> int:
    """Create a tenant with this many schedules; return its id."""
    workspace = Workspace.objects.create(name="Bench", slug=f"bench-{uuid.uuid4().hex[:8]}")
    tenant = Tenant.objects.create(workspace=workspace, name="Bench", external_id=uuid.uuid4())
    now = database_now()
    schedules = []
    for number in range(count):
        schedule = BackupSchedule(
            workspace=workspace, tenant=tenant, name=f"Bench {number}", cron="0 2 * * *"
        )
        schedule.kinds = ["compliance"]
        schedule.start_from(now)
        schedules.append(schedule)
    BackupSchedule.objects.bulk_create(schedules)
    return tenant.pk


def measure(tenant_id: int, column: str) -> float:
    """Update the schedules; return how many times as long that takes because of the trigger."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) UPDATE backup_schedules SET {column} = {column} + 1"  # noqa: S608
            " WHERE tenant_id = %s",
            [tenant_id],
        )
        plan: dict[str, Any] = cursor.fetchone()[0][0]
    trigger = next(row["Time"] for row in plan["Triggers"] if row["Trigger Name"] == "audited")
    return float(plan["Execution Time"] / (plan["Execution Time"] - trigger))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--rows", type=int, default=200, help="the schedules of each statement")
    arguments = options.parse_args()
    ratios: dict[str, list[float]] = {way: [] for way in COLUMNS}
    with transaction.atomic():
        tenant_id = create_schedules(arguments.rows)
        for _ in range(arguments.rounds):
            for way, column in COLUMNS.items():
                ratios[way].append(measure(tenant_id, column))
        transaction.set_rollback(True)
    sys.stdout.write(f"updates of {arguments.rows} schedules, without the trigger: 1.0\n")
    for way, values in ratios.items():
        sys.stdout.write(f"{way}: {median(values):.1f} times as long\n")


if __name__ == "__main__":
    main()
