"""The link from a run to its legacy run."""

from __future__ import annotations

from typing import Any

from legacy_runs.models import BackupScheduleRun
from operations.context import register_context_key
from operations.links import Link, related_link
from operations.models import OperationRun
from tenancy.models import User

register_context_key("backup_schedule_run_id", "Legacy schedule run", int, of_one_run=True)


@related_link("backup_schedule_run_id")
def schedule_run_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """Link the schedule run of the older system if it was imported and shows another page."""
    rows = BackupScheduleRun.objects.visible_to(user).filter(
        workspace=run.workspace_id, tenant=run.tenant_id, pk=value
    )
    row = rows.exclude(operation_run=run).first()
    if row is None:
        return None
    return Link(f"Legacy run: {row}", row.get_absolute_url(), row.KIND)
