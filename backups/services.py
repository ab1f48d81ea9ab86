"""What a person does with schedules, sets and selections. Pages, admin and commands are thin doors."""

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

from backups import retention, tick
from backups.models import NAME_TAKEN, BackupSchedule, BackupSet
from backups.requests import add_policies_request, export_request, run_now_request
from inventory.selection import Selection
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from tenancy.db import database_now
from tenancy.models import Tenant, User

log = logging.getLogger(__name__)
#: More names than this help nobody.
TOLD = 10


def run_now(
    schedule: BackupSchedule, by: User, submission: uuid.UUID | None = None
) -> DispatchResult:
    """Start the schedule's backup, or join the one that is active. A paused schedule may too.

    Raises:
        Blocked: its tenant is suspended.
    """
    if not schedule.tenant.is_active:
        raise Blocked("tenant_suspended", tenant=schedule.tenant.name)
    return OperationRunService().dispatch_many([run_now_request(schedule, by, submission)])[0]


@transaction.atomic
def save(schedule: BackupSchedule) -> BackupSchedule:
    """Store a new or changed schedule, checked. Its first slot is the first one from now on.

    Raises:
        ValidationError: a field has a value that cannot be; nothing was stored.
    """
    stored = _lock(schedule) if schedule.pk else None
    if schedule.tenant.workspace_id != schedule.workspace_id:
        raise ValidationError({"tenant": "This tenant belongs to another workspace."})
    schedule.clean_fields()
    if stored:
        _keep_state(schedule, stored)
    if not schedule.is_paused and (stored is None or _fires_at_other_times(schedule, stored)):
        schedule.start_from(database_now())
    schedule.validate_constraints()
    _write(schedule)
    return schedule


def _write(schedule: BackupSchedule) -> None:
    """Save it; a form that was sent twice at once finds the name taken like one sent later."""
    try:
        schedule.save()
    except IntegrityError as error:
        if "schedules_name_once_per_tenant" not in str(error):
            raise
        raise ValidationError(NAME_TAKEN) from None


def create_for(wish: BackupSchedule, tenants: Iterable[Tenant]) -> list[BackupSchedule]:
    """Store the same new schedule for each of these tenants: for all of them, or for none.

    Raises:
        ValidationError: one of them could not have it; the text names the tenant.
    """
    wish.clean_fields(exclude={"tenant"})
    now = database_now()
    made = [_of(tenant, wish, now) for tenant in sorted(tenants, key=lambda tenant: tenant.pk)]
    for first in made[:1]:
        first.validate_constraints(exclude={"name"})
    _require_free_names(made)
    try:
        with transaction.atomic():
            return BackupSchedule.objects.bulk_create(made, batch_size=500)
    except IntegrityError:
        _require_free_names(made)
        raise


def _of(tenant: Tenant, wish: BackupSchedule, now: dt.datetime) -> BackupSchedule:
    if tenant.workspace_id != wish.workspace_id:
        raise ValidationError({"tenant": "This tenant belongs to another workspace."})
    schedule = copy.copy(wish)
    schedule.tenant = tenant
    schedule.start_from(now)
    return schedule


def _require_free_names(made: list[BackupSchedule]) -> None:
    names = {schedule.name for schedule in made}
    same = BackupSchedule.objects.filter(name__in=names, tenant__in=[row.tenant for row in made])
    taken = same.order_by("tenant__name").values_list("tenant__name", flat=True)[:TOLD]
    if texts := [f"{name}: {NAME_TAKEN}" for name in taken]:
        raise ValidationError(texts)


def _keep_state(schedule: BackupSchedule, stored: BackupSchedule) -> None:
    """What a tick or a pause has changed since the caller read the schedule holds."""
    for field in ("next_run_at", "spread_seconds", "paused_at", "paused_by_id", "pause_reason"):
        setattr(schedule, field, getattr(stored, field))


def _fires_at_other_times(schedule: BackupSchedule, stored: BackupSchedule) -> bool:
    return (schedule.cron, schedule.timezone) != (stored.cron, stored.timezone)


@transaction.atomic
def pause(schedule: BackupSchedule, by: User, reason: str = "") -> BackupSchedule:
    """Let a schedule rest; its slots are not owed. Pausing twice changes nothing."""
    locked = _lock(schedule)
    if not locked.is_paused:
        locked.paused_at = database_now()
        locked.paused_by = by
        locked.pause_reason = reason.strip()[:300] or "No reason given"
        locked.next_run_at = None
        locked.save()
    return locked


@transaction.atomic
def resume(schedule: BackupSchedule, by: User) -> BackupSchedule:
    """Let a schedule fire again, from its next slot on. Resuming twice changes nothing."""
    locked = _lock(schedule)
    if locked.is_paused:
        locked.paused_at = locked.paused_by = None
        locked.pause_reason = ""
        locked.start_from(database_now())
        locked.save()
    return locked


def _lock(schedule: BackupSchedule) -> BackupSchedule:
    """The schedule as it stands, locked, with every slot up to now accounted for."""
    rows = BackupSchedule.objects.with_scope().select_for_update(of=("self",))
    locked = rows.get(pk=schedule.pk)
    now = database_now()
    if locked.next_run_at and locked.next_run_at <= now - locked.spread:
        tick.account_for([locked], now)
        locked.refresh_from_db()
    return locked


def add_policies(
    selection: Selection, name: str, *, by: User, submission: uuid.UUID | None = None
) -> list[DispatchResult]:
    """Add a selection to the set of that name of each tenant: one run for each.

    Raises:
        ValidationError: the name cannot be one.
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
    """Export a selection: one run, and one archive, for each tenant."""
    requests = [
        export_request(selection, tenant, by=by, submission=submission)
        for tenant in selection.by_tenant
    ]
    return OperationRunService().dispatch_many(requests)


@transaction.atomic
def delete_set(backup_set: BackupSet, *, by: User) -> None:
    """Delete a set that no schedule's retention looks after, with all that only it holds.

    Raises:
        ValidationError: it has a schedule, a run is at work with it, or it is the tenant's last
            complete backup.
    """
    locked = BackupSet.objects.select_for_update().filter(pk=backup_set.pk).first()
    if locked is None:
        return
    if locked.schedule_id is not None:
        raise ValidationError("The retention of its schedule lets go of this set.")
    if _is_at_work(locked):
        raise ValidationError("A run is at work with this set. Wait for its end.")
    if not retention.delete_set(locked):
        raise ValidationError("This is the last complete backup of its tenant, which is kept.")
    retention.delete_unreferenced_versions(locked.workspace_id)
    log.info("%s of tenant %s deleted by %s", backup_set, backup_set.tenant_id, by)


def _is_at_work(backup_set: BackupSet) -> bool:
    """Whether an active run has made the set, adds to it, or restores from it."""
    active = OperationRun.objects.active().filter(tenant=backup_set.tenant_id)
    named = Q(context__backup_set_id=backup_set.pk) | Q(backup_set=backup_set.pk)
    return active.filter(named).exists()


def clean_set_name(text: str) -> str:
    """The name of a selection, without spaces around it.

    Raises:
        ValidationError: it is empty, too long, or holds what cannot be shown.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > 200 or not name.isprintable():
        raise ValidationError("Give the set a name of at most 200 characters.")
    return name
