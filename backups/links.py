"""Where a run leads: its schedule, its backup set, the run that was in its way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from backups.models import BackupSchedule, BackupSet, PolicyExport, SetPurpose
from operations.context import register_context_key
from operations.links import Link, related_link, related_links
from operations.models import OperationRun
from tenancy.capabilities import has_capability
from tenancy.models import User
from tenancy.roles import Capability

register_context_key("backup_schedule_id", "Schedule", int)
register_context_key("backup_set_id", "Backup set", int)
register_context_key("previous_run_id", "Run that was still active", int)
register_context_key("missed", "Missed slots", dict)


@related_link("backup_schedule_id")
def schedule_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The schedule that the backup belongs to."""
    schedules = BackupSchedule.objects.visible_to(user).filter(workspace=run.workspace_id)
    schedule = schedules.with_scope().filter(pk=value).first()
    if schedule is None:
        return None
    return Link(f"Schedule: {schedule.name}", schedule.get_absolute_url(), "backup_schedule")


@related_link("previous_run_id")
def previous_run_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The run that was active when the slot came."""
    runs = OperationRun.objects.visible_to(user).filter(workspace=run.workspace_id)
    previous = runs.filter(pk=value).first()
    if previous is None:
        return None
    return Link(f"Was still active: run {previous.pk}", previous.get_absolute_url(), "run")


@related_links
def export_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The archive that the run made, for those who may download it."""
    if not has_capability(user, run.workspace, Capability.EXPORT_POLICIES):
        return
    made = PolicyExport.objects.visible_to(user).filter(operation_run=run).defer("archive")
    for export in made.select_related("workspace"):
        gone = " (expired)" if export.is_expired else ""
        yield Link(f"Download {export.file_name}{gone}", export.get_absolute_url(), "export")


@related_links
def set_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The backup set that the run made or added to."""
    mine = Q(operation_run=run)
    if name := run.context.get("idempotency", {}).get("set_name"):
        mine |= Q(tenant=run.tenant_id, purpose=SetPurpose.SELECTION, name=name)
    made = BackupSet.objects.visible_to(user).with_scope().filter(mine)
    for backup_set in made:
        label = f"{backup_set} ({backup_set.get_status_display().lower()})"
        yield Link(label, backup_set.get_absolute_url(), "backup_set")
