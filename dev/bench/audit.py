"""Measures what the audit log costs; prints ratios, which do not depend on the machine.

    python -m dev.bench.audit [--rounds 20] [--updates 200]

It changes a schedule in three ways: without the trigger, in a column that the audit log ignores, as
ticks do, and in a column that it records. The ways alternate, so that other load on the machine
affects all of them. Each round is rolled back. While it runs, changes of schedules wait.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections import defaultdict

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection, transaction  # noqa: E402

from backups.models import BackupSchedule  # noqa: E402
from tenancy.models import Tenant, Workspace  # noqa: E402

#: The ways to change a schedule, and the column that each changes.
WITHOUT, IGNORED, RECORDED = "without the trigger", "ignored column", "recorded column"
COLUMNS = {
    WITHOUT: "retention_keep_days",
    IGNORED: "spread_seconds",
    RECORDED: "retention_keep_days",
}


def measure(way: str, updates: int) -> float:
    """Return the seconds per update in one way; nothing is kept."""
    with transaction.atomic():
        workspace = Workspace.objects.create(name="Bench", slug=f"bench-{uuid.uuid4().hex[:8]}")
        tenant = Tenant.objects.create(workspace=workspace, name="B", external_id=uuid.uuid4())
        schedule = BackupSchedule(
            workspace=workspace, tenant=tenant, name="Bench", cron="0 2 * * *"
        )
        schedule.kinds = ["compliance"]
        schedule.start_from(workspace.created_at)
        schedule.save()
        if way == WITHOUT:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE backup_schedules DISABLE TRIGGER audited")
        rows = BackupSchedule.objects.filter(pk=schedule.pk)
        started = time.perf_counter()
        for number in range(updates):
            rows.update(**{COLUMNS[way]: number + 1})
        seconds = time.perf_counter() - started
        transaction.set_rollback(True)
    return seconds / updates


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--updates", type=int, default=200, help="the updates of each round")
    arguments = options.parse_args()
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for way in COLUMNS:
            seconds[way].append(measure(way, arguments.updates))
    # The fastest round of each way is the one that other load disturbed least.
    base = min(seconds[WITHOUT])
    sys.stdout.write(f"{arguments.rounds} rounds of {arguments.updates} updates of a schedule\n")
    for way, values in seconds.items():
        sys.stdout.write(f"{way}: {min(values) / base:.2f}\n")
    sys.stdout.write(f"an entry costs {(min(seconds[RECORDED]) - base) * 1e6:.0f} µs here\n")


if __name__ == "__main__":
    main()
