"""`manage.py demo_legacy_runs`: some history for the demo's tenants. Safe to run again."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from legacy_runs.importing import Import, Numbered
from legacy_runs.models import TABLES
from operations.models import OperationRun
from tenancy.models import Tenant, Workspace

ROWS_OF_A_TENANT = 25
DEMO = "alpine"


class Command(BaseCommand):
    help = "Give the demo's tenants a history, as if they had been moved here."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEMO_DATA_ALLOWED:
            raise CommandError("demo_legacy_runs makes up history: only in development.")
        workspace = Workspace.objects.filter(slug=DEMO).first()
        if workspace is None:
            raise CommandError("There is no demo workspace; run demo_data first.")
        for number, kind in enumerate(TABLES):
            report = Import(kind, workspace=DEMO).run(_rows(workspace, kind, number))
            self.stdout.write(f"{TABLES[kind].LABEL}: {report.counts['imported']} new rows")


def _rows(workspace: Workspace, kind: str, number: int) -> Iterator[Numbered]:
    """The same rows every time, apart from their runs; one in ten has a run here, if there is one."""
    tenants = list(workspace.tenants.order_by("pk"))
    runs = {tenant.pk: _runs(tenant, kind) for tenant in tenants}
    chance = random.Random(f"{DEMO}/{kind}")  # noqa: S311 - invented data
    first = (number + 1) * 10_000
    for place in range(len(tenants) * ROWS_OF_A_TENANT):
        tenant = tenants[place % len(tenants)]
        run = next(runs[tenant.pk], None) if place // len(tenants) % 10 == 0 else None
        yield place, _row(tenant, kind, first + place, run, chance)


def _runs(tenant: Tenant, kind: str) -> Iterator[OperationRun]:
    """The runs that a row of this kind may have had, oldest first."""
    types = TABLES[kind].RUN_TYPES
    return iter(OperationRun.objects.filter(tenant=tenant, type__in=types).order_by("pk")[:3])


def _row(
    tenant: Tenant, kind: str, row_id: int, run: OperationRun | None, chance: random.Random
) -> dict[str, Any]:
    at = _moment(row_id, run)
    statuses = [status for status in TABLES[kind].STATUSES if status not in ("pending", "running")]
    seen = chance.randrange(20, 90)
    return {
        "id": row_id,
        "tenant_external_id": str(tenant.external_id),
        "operation_run_id": run.pk if run else None,
        "status": chance.choices(statuses, weights=[8, *[1] * (len(statuses) - 1)])[0],
        "created_at": at,
        "started_at": at + dt.timedelta(seconds=2),
        "finished_at": at + dt.timedelta(seconds=chance.randrange(20, 300)),
        "selection_hash": f"{row_id:064x}",
        "selection_payload": {"policy_types": ["settingsCatalogPolicy", "deviceCompliancePolicy"]},
        "selection_key": "all-groups",
        "slot_key": at.strftime("%Y%m%d%H%M"),
        "items_observed_count": seen,
        "items_upserted_count": chance.randrange(0, seen),
        "backup_schedule_id": 1,
        "scheduled_for": at,
        "summary": {"policies_total": seen, "policies_backed_up": seen},
    }


def _moment(row_id: int, run: OperationRun | None) -> dt.datetime:
    """Every six hours from a Monday on; with its run, where there is one."""
    if run:
        return run.created_at
    at = dt.datetime(2025, 1, 6, 2, 30, tzinfo=dt.UTC) + dt.timedelta(hours=6 * (row_id % 10_000))
    return min(at, timezone.now())
