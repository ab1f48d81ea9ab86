"""What users do with schedules, sets and selections. Pages, admin and commands call these."""

from __future__ import annotations

import copy
import datetime as dt
import logging
import unicodedata
import uuid
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from backups import retention
from backups.models import NAME_TAKEN, BackupSchedule, BackupSet, RevisionReason
from backups.requests import add_policies_request, export_request, run_now_request
from backups.revisions import record_revisions
from backups.settling import correct_next_slot, settle
from backups.slots import rules_version
from inventory.selection import Selection
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tenancy.services import clean_reason

log = logging.getLogger(__name__)
#: The number of tenants that an error message names.
MAX_NAMES = 10
_STATE_FIELDS = (
    "settled_until",
    "next_run_at",
    "rules_version",
    "spread_seconds",
    "paused_at",
    "paused_by_id",
    "pause_reason",
)
#: Why schedules of an archived tenant are paused; bringing it back resumes those with this reason.
TENANT_ARCHIVED = "The tenant is archived."


def run_now(
    schedule: BackupSchedule, by: User, submission: uuid.UUID | None = None
) -> DispatchResult:
    """Start the schedule's backup, or return the active one. Works for paused schedules, too.

    Raises:
        Blocked: the schedule was deleted, or the tenant is suspended or archived.
    """
    if schedule.is_deleted:
        raise Blocked("schedule_gone")
    if not schedule.tenant.is_active:
        raise Blocked(schedule.tenant.inactive_reason, tenant=schedule.tenant.name)
    return OperationRunService().dispatch_many([run_now_request(schedule, by, submission)])[0]


@transaction.atomic
def save(schedule: BackupSchedule, by: User | None = None) -> BackupSchedule:
    """Validate and store a new or changed schedule. New times start with the first slot from now.

    Raises:
        ValidationError: a field has an invalid value, or the schedule was deleted, or its tenant is
            archived; nothing was stored.
    """
    now = database_now()
    stored = _lock(schedule, now) if schedule.pk else None
    if stored:
        _require_not_deleted(stored)
    elif schedule.tenant.is_archived:
        raise ValidationError({"tenant": "This tenant is archived."})
    if schedule.tenant.workspace_id != schedule.workspace_id:
        raise ValidationError({"tenant": "This tenant belongs to another workspace."})
    schedule.clean_fields(exclude={"settled_until"})
    if stored:
        # A tick or a pause can have changed these since the caller read the schedule.
        for field in _STATE_FIELDS:
            setattr(schedule, field, getattr(stored, field))
    stored_times = (stored.cron, stored.timezone) if stored else None
    has_new_times = not schedule.is_paused and stored_times != (schedule.cron, schedule.timezone)
    if has_new_times:
        schedule.start_from(now)
    schedule.validate_constraints()
    try:
        schedule.save()
    except IntegrityError as error:
        # The same form was posted twice at once.
        if "schedules_name_once_per_tenant" not in str(error):
            raise
        raise ValidationError(NAME_TAKEN) from None
    if has_new_times:
        reason = RevisionReason.TIMES_CHANGED if stored else RevisionReason.CREATED
        record_revisions([schedule], reason, by=by)
    return schedule


def create_for(
    template: BackupSchedule, tenants: Iterable[Tenant], by: User | None = None
) -> list[BackupSchedule]:
    """Store the same new schedule for each of these tenants: for all of them, or for none.

    Raises:
        ValidationError: one of the tenants cannot have it; the message names the tenant.
    """
    template.clean_fields(exclude={"tenant", "workspace", "settled_until"})
    now = database_now()
    schedules = []
    for tenant in sorted(tenants, key=lambda tenant: tenant.pk):
        if tenant.workspace_id != template.workspace_id:
            raise ValidationError({"tenant": "This tenant belongs to another workspace."})
        if tenant.is_archived:
            raise ValidationError(f"{tenant.name}: This tenant is archived.")
        schedule = copy.copy(template)
        schedule.tenant = tenant
        schedule.start_from(now)
        schedules.append(schedule)
    if schedules:
        schedules[0].validate_constraints(exclude={"name"})
    _require_free_names(schedules)
    try:
        with transaction.atomic():
            stored = BackupSchedule.objects.bulk_create(schedules, batch_size=500)
            record_revisions(stored, RevisionReason.CREATED, by=by)
    except IntegrityError:
        _require_free_names(schedules)
        raise
    return stored


def _require_free_names(schedules: list[BackupSchedule]) -> None:
    existing = BackupSchedule.objects.filter(
        name__in={schedule.name for schedule in schedules},
        tenant__in=[schedule.tenant for schedule in schedules],
        deleted_at=None,
    )
    tenants = existing.order_by("tenant__name").values_list("tenant__name", flat=True)[:MAX_NAMES]
    if messages := [f"{name}: {NAME_TAKEN}" for name in tenants]:
        raise ValidationError(messages)


@transaction.atomic
def pause(schedule: BackupSchedule, by: User, reason: str = "") -> bool:
    """Pause a schedule; its slots are not caught up. Return whether this call did it.

    Raises:
        ValidationError: the schedule was deleted.
    """
    now = database_now()
    locked = _lock(schedule, now)
    _require_not_deleted(locked)
    if locked.is_paused:
        return False
    _set_paused(locked, now, by, reason.strip()[:300] or "No reason given")
    locked.save()
    record_revisions([locked], RevisionReason.PAUSED, by=by)
    return True


@transaction.atomic
def resume(schedule: BackupSchedule, by: User) -> bool:
    """Resume a schedule from its next slot. Return whether this call did it.

    Raises:
        ValidationError: the schedule was deleted, or its tenant is archived.
    """
    now = database_now()
    locked = _lock(schedule, now)
    _require_not_deleted(locked)
    if locked.tenant.is_archived:
        raise ValidationError(f"The tenant {locked.tenant.name} is archived. Bring it back first.")
    if not locked.is_paused:
        return False
    locked.paused_at = locked.paused_by = None
    locked.pause_reason = ""
    locked.start_from(now)
    locked.save()
    record_revisions([locked], RevisionReason.RESUMED, by=by)
    return True


@transaction.atomic
def delete(schedule: BackupSchedule, *, by: User, reason: str) -> bool:
    """Delete a schedule for good. Return whether this call did it.

    Its runs, backup sets and revisions stay and refer to it, and its retention goes on, so that
    every slot can still be explained.

    Raises:
        ValidationError: the reason is empty or too long.
    """
    reason = clean_reason(reason)
    now = database_now()
    locked = _lock(schedule, now)
    if locked.is_deleted:
        return False
    if not locked.is_paused:
        _set_paused(locked, now, by, "The schedule was deleted.")
    locked.deleted_at = now
    locked.deleted_by_name = by.get_username()
    locked.deletion_reason = reason
    locked.save()
    record_revisions([locked], RevisionReason.DELETED, by=by)
    log.info("schedule %s of tenant %s deleted by %s", locked.pk, locked.tenant_id, by)
    return True


def pause_for_archive(tenant: Tenant, *, by: User) -> None:
    """Pause the schedules of a tenant that was archived in this transaction."""
    for schedule in tenant.backup_schedules.filter(paused_at=None).order_by("pk"):
        pause(schedule, by, TENANT_ARCHIVED)


def resume_after_archive(tenant: Tenant, *, by: User) -> None:
    """Resume the schedules that only the archive paused, from their next slots."""
    paused = tenant.backup_schedules.filter(pause_reason=TENANT_ARCHIVED, deleted_at=None)
    for schedule in paused.order_by("pk"):
        resume(schedule, by)


def _set_paused(schedule: BackupSchedule, now: dt.datetime, by: User, reason: str) -> None:
    schedule.settle_until(now)
    schedule.paused_at = now
    schedule.paused_by = by
    schedule.pause_reason = reason
    schedule.next_run_at = None


def _require_not_deleted(schedule: BackupSchedule) -> None:
    if schedule.is_deleted:
        raise ValidationError(f"The schedule “{schedule.name}” was deleted.")


def _lock(schedule: BackupSchedule, now: dt.datetime) -> BackupSchedule:
    """Lock a schedule, settle its slots up to `now`, and return it as stored."""
    rows = BackupSchedule.objects.with_scope().select_for_update(of=("self",))
    locked = rows.get(pk=schedule.pk)
    if not locked.is_paused and locked.rules_version < rules_version():
        correct_next_slot(locked, now)
        locked.refresh_from_db()
    if not locked.is_paused:
        settle([locked], now, at_once=True)
        locked.refresh_from_db()
    return locked


def add_policies(
    selection: Selection, name: str, *, by: User, submission: uuid.UUID | None = None
) -> list[DispatchResult]:
    """Add a selection to the set with this name of each tenant: one run per tenant.

    Raises:
        ValidationError: the name is invalid.
    """
    name = clean_set_name(name)
    requests = [
        add_policies_request(selection, tenant, name, by=by, submission=submission)
        for tenant in selection.by_tenant
    ]
    return OperationRunService().dispatch_many(requests)


def export_policies(
    selection: Selection, *, by: User, submission: uuid.UUID | None = None
) -> list[DispatchResult]:
    """Export a selection: one run and one archive per tenant."""
    requests = [
        export_request(selection, tenant, by=by, submission=submission)
        for tenant in selection.by_tenant
    ]
    return OperationRunService().dispatch_many(requests)


@transaction.atomic
def delete_set(backup_set: BackupSet, *, by: User) -> None:
    """Delete a set that belongs to no schedule, with the contents that only it refers to.

    Raises:
        ValidationError: it belongs to a schedule, a run is using it, or it is the tenant's last
            complete backup.
    """
    locked = BackupSet.objects.select_for_update().filter(pk=backup_set.pk).first()
    if locked is None:
        return
    if locked.schedule_id is not None:
        raise ValidationError("The retention of its schedule deletes this set.")
    # Created, extended or restored by an active run.
    uses_set = Q(context__backup_set_id=locked.pk) | Q(backup_set=locked.pk)
    if OperationRun.objects.active().filter(uses_set, tenant=locked.tenant_id).exists():
        raise ValidationError(
            "A running operation is using this backup set. Try again when it has finished."
        )
    if not retention.delete_set(locked):
        raise ValidationError("The last complete backup of a tenant cannot be deleted.")
    retention.delete_unreferenced_versions(locked.workspace_id)
    log.info("%s of tenant %s deleted by %s", backup_set, backup_set.tenant_id, by)


def clean_set_name(text: str) -> str:
    """Return the normalized name of a selection.

    Raises:
        ValidationError: it is empty, too long, or contains characters that cannot be displayed.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > 200 or not name.isprintable():
        raise ValidationError("Enter a name of at most 200 characters.")
    return name
