"""Measures what a duplicate request costs; prints ratios, which do not depend on the machine.

    python -m dev.bench.dispatch [--rounds 500]

It times several ways to request a run in alternation, so that other load on the machine affects all
of them: `ensure_run` for a new and for an active run, a batch of requests, and Django's
`get_or_create`. It uses a separate workspace and removes it at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from statistics import median

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from operations.dispatch import RunRequest  # noqa: E402
from operations.models import OperationRun  # noqa: E402
from operations.services import OperationRunService  # noqa: E402
from operations.testing import allow_pruning  # noqa: E402
from operations.types import OperationRunType  # noqa: E402
from tenancy.models import Tenant, Workspace  # noqa: E402

BATCH = 100
BASE = "ensure_run, new"


def build_request(tenant: Tenant, key: str) -> RunRequest:
    return RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
        workspace=tenant.workspace,
        tenant=tenant,
        inputs={"bench": key},
    )


def get_or_create(request: RunRequest) -> None:
    """Do the same with Django's `get_or_create`, without event and message."""
    row = request.row()
    identity = {key: row.pop(key) for key in ("workspace_id", "tenant_id", "run_identity_hash")}
    row["next_publish_at"] = timezone.now()
    OperationRun.objects.get_or_create(**identity, status__in=("queued", "running"), defaults=row)


def measure(tenant: Tenant, rounds: int) -> dict[str, float]:
    """Return the median seconds per run of each way."""
    service = OperationRunService()
    times: dict[str, list[float]] = defaultdict(list)

    def timed(name: str, call: Callable[[], object], runs: int = 1) -> None:
        started = time.perf_counter()
        call()
        times[name].append((time.perf_counter() - started) / runs)

    for number in range(rounds):
        service_request = build_request(tenant, f"service {number}")
        django_request = build_request(tenant, f"django {number}")
        for attempt in ("new", "duplicate"):
            timed(f"ensure_run, {attempt}", partial(service.ensure_run, service_request))
            timed(f"get_or_create, {attempt}", partial(get_or_create, django_request))
        if number % BATCH == 0:
            batch = [build_request(tenant, f"batch {number} {row}") for row in range(BATCH)]
            for attempt in ("new", "duplicate"):
                ensure_batch = partial(service.ensure_runs, batch)
                timed(f"in a batch of {BATCH}, {attempt}", ensure_batch, BATCH)
    return {name: median(seconds) for name, seconds in times.items()}


def remove(workspace: Workspace) -> None:
    """End the runs of the benchmark and delete them as retention does."""
    with allow_pruning(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET status = 'completed', outcome = 'cancelled',"
            " completed_at = clock_timestamp() WHERE workspace_id = %s AND status <> 'completed'",
            [workspace.pk],
        )
        workspace.operation_runs.all().delete()
        workspace.tenants.all().delete()
        workspace.delete()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=500)
    rounds = parser.parse_args().rounds
    slug = f"bench-{uuid.uuid4().hex[:12]}"
    workspace = Workspace.objects.create(name=slug, slug=slug)
    tenant = Tenant.objects.create(workspace=workspace, name=slug, external_id=uuid.uuid4())
    try:
        medians = measure(tenant, rounds)
    finally:
        remove(workspace)
    for name, seconds in sorted(medians.items(), key=lambda entry: entry[1]):
        sys.stdout.write(f"{name:32} {seconds / medians[BASE]:6.2f} x\n")


if __name__ == "__main__":
    main()
