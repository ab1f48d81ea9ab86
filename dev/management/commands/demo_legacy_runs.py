"""`manage.py demo_legacy_runs`: create legacy runs for the demo tenants. Safe to repeat."""

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
    help = "Create legacy runs for the demo tenants, as if they had been imported."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEMO_DATA_ALLOWED:
            raise CommandError(
                "demo_legacy_runs creates invented data; it is allowed only in development."
            )
        workspace = Workspace.objects.filter(slug=DEMO).first()
        if workspace is None:
            raise CommandError("There is no demo workspace. Run demo_data first.")
        for number, kind in enumerate(TABLES):
            report = Import(kind, workspace=DEMO).run(_rows(workspace, kind, number))
            self.stdout.write(f"{TABLES[kind].LABEL}: {report.counts['imported']} new rows")


def _rows(workspace: Workspace, kind: str, number: int) -> Iterator[Numbered]:
    """Yield the same rows every time; one in ten is mapped to a run if the tenant has one."""
    tenants = list(workspace.tenants.order_by("pk"))
    runs = {}
    for tenant in tenants:
        candidates = OperationRun.objects.filter(tenant=tenant, type__in=TABLES[kind].RUN_TYPES)
        runs[tenant.pk] = iter(candidates.order_by("pk")[:3])
    chance = random.Random(f"{DEMO}/{kind}")  # noqa: S311 - invented data
    first_id = (number + 1) * 10_000
    for index in range(len(tenants) * ROWS_OF_A_TENANT):
        tenant = tenants[index % len(tenants)]
        is_mapped = index // len(tenants) % 10 == 0
        run = next(runs[tenant.pk], None) if is_mapped else None
        yield index, _row(tenant, kind, first_id + index, run, chance)


def _row(
    tenant: Tenant, kind: str, row_id: int, run: OperationRun | None, chance: random.Random
) -> dict[str, Any]:
    if run:
        created_at = run.created_at
    else:
        # Every six hours from a Monday on.
        interval = dt.timedelta(hours=6 * (row_id % 10_000))
        created_at = min(dt.datetime(2025, 1, 6, 2, 30, tzinfo=dt.UTC) + interval, timezone.now())
    statuses = [status for status in TABLES[kind].STATUSES if status not in ("pending", "running")]
    item_count = chance.randrange(20, 90)
    return {
        "id": row_id,
        "tenant_external_id": str(tenant.external_id),
        "operation_run_id": run.pk if run else None,
        "status": chance.choices(statuses, weights=[8, *[1] * (len(statuses) - 1)])[0],
        "created_at": created_at,
        "started_at": created_at + dt.timedelta(seconds=2),
        "finished_at": created_at + dt.timedelta(seconds=chance.randrange(20, 300)),
        "selection_hash": f"{row_id:064x}",
        "selection_payload": {"policy_types": ["settingsCatalogPolicy", "deviceCompliancePolicy"]},
        "selection_key": "all-groups",
        "slot_key": created_at.strftime("%Y%m%d%H%M"),
        "items_observed_count": item_count,
        "items_upserted_count": chance.randrange(0, item_count),
        "backup_schedule_id": 1,
        "scheduled_for": created_at,
        "summary": {"policies_total": item_count, "policies_backed_up": item_count},
    }
