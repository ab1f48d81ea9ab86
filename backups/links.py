"""Links from a run to its schedule, its backup set, its exports and the run that blocked it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.db.models import Exists, OuterRef, Q

from backups.models import BackupSchedule, BackupSet, PolicyExport, ScheduleRevision, SetPurpose
from operations.context import register_context_key
from operations.links import Link, related_link, related_links
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.capabilities import has_capability
from tenancy.models import User
from tenancy.prepared import (
    ANY_ID,
    ANY_NUMBER,
    ANY_TENANT,
    ANY_TEXT,
    ANY_USER,
    ANY_WORKSPACE,
    PreparedQuery,
)
from tenancy.roles import Capability

register_context_key("backup_schedule_id", "Schedule", int)
register_context_key("backup_set_id", "Backup set", int)
register_context_key("missed", "Missed slots", dict, of_one_run=True)
register_context_key("cron", "Cron expression", str, of_one_run=True)
register_context_key("timezone", "Time zone", str, of_one_run=True)
register_context_key("schedule_revision", "Revision of the schedule", int, of_one_run=True)


@related_links
def schedule_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The schedule that the backup belongs to, and its times that made the slot."""
    schedule_id, number = (
        run.context.get(key) for key in ("backup_schedule_id", "schedule_revision")
    )
    if schedule_id is None:
        return
    schedules = _schedules(is_staff=user.is_staff)
    schedule: Any
    for schedule in schedules.load(user.pk, run.workspace_id, schedule_id, number):
        schedule.workspace = run.workspace
        address = schedule.get_absolute_url()
        label = "Deleted schedule" if schedule.is_deleted else "Schedule"
        yield Link(f"{label}: {schedule.name}", address, "backup_schedule")
        if schedule.has_revision:
            yield Link(
                f"Times: revision {number}", f"{address}#revision-{number}", "schedule_revision"
            )


@cache
def _schedules(*, is_staff: bool) -> PreparedQuery[BackupSchedule]:
    user = User(pk=ANY_USER, is_staff=is_staff)
    revisions = ScheduleRevision.objects.filter(schedule=OuterRef("pk"), number=ANY_NUMBER)
    schedules = BackupSchedule.objects.visible_to(user).annotate(has_revision=Exists(revisions))
    return PreparedQuery(
        schedules.filter(workspace=ANY_WORKSPACE, pk=ANY_ID),
        [ANY_USER, ANY_WORKSPACE, ANY_ID, ANY_NUMBER],
    )


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
    is_export = run.type == OperationRunType.POLICY_EXPORT
    if not is_export or not has_capability(user, run.workspace, Capability.EXPORT_POLICIES):
        return
    exports = PolicyExport.objects.visible_to(user).filter(operation_run=run).defer("archive")
    for export in exports.select_related("workspace"):
        suffix = " (expired)" if export.is_expired else ""
        yield Link(f"Download {export.file_name}{suffix}", export.get_absolute_url(), "export")


@related_links
def set_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The backup set that the run created or added to."""
    name = run.context.get("idempotency", {}).get("set_name")
    sets = _sets(is_staff=user.is_staff, has_name=bool(name))
    for backup_set in sets.load(user.pk, run.workspace_id, run.pk, run.tenant_id, name):
        backup_set.workspace = run.workspace
        label = f"{backup_set} ({backup_set.get_status_display().lower()})"
        yield Link(label, backup_set.get_absolute_url(), "backup_set")


@cache
def _sets(*, is_staff: bool, has_name: bool) -> PreparedQuery[BackupSet]:
    is_of_run = Q(operation_run=ANY_ID)
    if has_name:
        is_of_run |= Q(tenant=ANY_TENANT, purpose=SetPurpose.SELECTION, name=ANY_TEXT)
    sets = BackupSet.objects.visible_to(User(pk=ANY_USER, is_staff=is_staff))
    sets = sets.filter(is_of_run, workspace=ANY_WORKSPACE)
    return PreparedQuery(sets, [ANY_USER, ANY_WORKSPACE, ANY_ID, ANY_TENANT, ANY_TEXT])
