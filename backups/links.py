"""Links from a run to its schedule, its backup set, its exports and the run that blocked it."""

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
register_context_key("cron", "Cron expression", str)
register_context_key("timezone", "Time zone", str)
register_context_key("schedule_revision", "Revision of the schedule", int)


@related_link("backup_schedule_id")
def schedule_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The schedule that the backup belongs to."""
    schedules = BackupSchedule.objects.visible_to(user).filter(workspace=run.workspace_id)
    schedule = schedules.with_scope().filter(pk=value).first()
    if schedule is None:
        return None
    return Link(f"Schedule: {schedule.name}", schedule.get_absolute_url(), "backup_schedule")


@related_link("schedule_revision")
def revision_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The times of the schedule that made the slot."""
    schedules = BackupSchedule.objects.visible_to(user).filter(workspace=run.workspace_id)
    schedule = schedules.with_scope().filter(pk=run.context.get("backup_schedule_id")).first()
    if schedule is None or not schedule.revisions.filter(number=value).exists():
        return None
    address = f"{schedule.get_absolute_url()}#revision-{value}"
    return Link(f"Times: revision {value}", address, "schedule_revision")


@related_link("previous_run_id")
def previous_run_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The run that was still active at the time of the slot."""
    runs = OperationRun.objects.visible_to(user).filter(workspace=run.workspace_id)
    previous = runs.filter(pk=value).first()
    if previous is None:
        return None
    return Link(f"Was still active: run {previous.pk}", previous.get_absolute_url(), "run")


@related_links
def export_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The archives that the run created, for users who may download them."""
    if not has_capability(user, run.workspace, Capability.EXPORT_POLICIES):
        return
    exports = PolicyExport.objects.visible_to(user).filter(operation_run=run).defer("archive")
    for export in exports.select_related("workspace"):
        suffix = " (expired)" if export.is_expired else ""
        yield Link(f"Download {export.file_name}{suffix}", export.get_absolute_url(), "export")


@related_links
def set_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The backup set that the run created or added to."""
    is_of_run = Q(operation_run=run)
    if name := run.context.get("idempotency", {}).get("set_name"):
        is_of_run |= Q(tenant=run.tenant_id, purpose=SetPurpose.SELECTION, name=name)
    for backup_set in BackupSet.objects.visible_to(user).with_scope().filter(is_of_run):
        label = f"{backup_set} ({backup_set.get_status_display().lower()})"
        yield Link(label, backup_set.get_absolute_url(), "backup_set")
