"""The operations on backups: scheduled and manual backups, retries, selections, exports."""

from __future__ import annotations

import datetime as dt
import functools

from backups import retention, sets
from backups.adding import Adding
from backups.authors import AuthorReader
from backups.exporting import export
from backups.models import BackupItem, BackupSchedule, BackupSet
from backups.reading import Reader
from backups.recording import record_changes
from operations.catalog import Queue, Retry
from operations.handlers import operation
from operations.reasons import Blocked
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import graph_client_for
from providers.handling import active_tenant, show_waits
from tenancy.roles import Capability

#: Backups of one schedule exclude each other, whatever their type.
backup_operation = functools.partial(
    operation,
    required_capability=Capability.START_BACKUP,
    queue=Queue.BACKUP,
    expected_duration=dt.timedelta(minutes=2),
    time_limit=dt.timedelta(hours=2),
    start_deadline=dt.timedelta(hours=6),
    retry=Retry.AUTOMATIC,
    identity_group="backup_schedule",
    retry_as=OperationRunType.BACKUP_SCHEDULE_RETRY,
    repeat_as=OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
)
#: Operations on a selection of policies.
selection_operation = functools.partial(
    operation,
    queue=Queue.BACKUP,
    expected_duration=dt.timedelta(seconds=30),
    time_limit=dt.timedelta(hours=1),
    retry=Retry.AUTOMATIC,
)


@backup_operation(
    OperationRunType.BACKUP_SCHEDULE_SCHEDULED,
    label="Scheduled backup",
    description="Reads every policy of the schedule's kinds and stores what changed.",
    slot_key="backup_schedule_id",
)
@backup_operation(
    OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
    label="Backup now",
    description="A backup of a schedule that a user started.",
)
def back_up(run: ActiveRun) -> None:
    """Read every kind of the schedule into a new set, then delete the sets that are too old.

    Idempotent: each run creates a separate set, and equal contents are stored once.
    """
    _read(run, _schedule_of(run), parent=None)


@backup_operation(
    OperationRunType.BACKUP_SCHEDULE_RETRY,
    label="Backup retry",
    description="Reads the objects that an earlier backup could not read.",
)
def repeat_failed(run: ActiveRun) -> None:
    """Read what an earlier backup missed into a new set that shares the complete items of the other.

    It is a full backup if the earlier run left no set.
    """
    _read(run, _schedule_of(run), parent=_set_of_earlier_run(run))


@selection_operation(
    OperationRunType.BACKUP_SET_ADD_POLICIES,
    label="Add policies to a backup set",
    description="Reads the selected policies into a named backup set.",
    required_capability=Capability.START_BACKUP,
)
def add_policies(run: ActiveRun) -> None:
    """Read the selected policies into the named set; skip those that it already contains."""
    with graph_client_for(active_tenant(run), on_wait=show_waits(run)) as client:
        Adding(run, str(run.inputs["set_name"])).add(client)


@selection_operation(
    OperationRunType.POLICY_EXPORT,
    label="Policy export",
    description="Reads the selected policies into an archive to download.",
    required_capability=Capability.EXPORT_POLICIES,
)
def export_policies(run: ActiveRun) -> None:
    """Read the selected policies into an archive; each run creates a separate one."""
    with graph_client_for(active_tenant(run), on_wait=show_waits(run)) as client:
        export(run, client)


def _read(run: ActiveRun, schedule: BackupSchedule, parent: BackupSet | None) -> None:
    sets.close_abandoned(schedule)
    run.set_phase("Connecting")
    with graph_client_for(run.tenant, on_wait=show_waits(run)) as client:
        with sets.building(run, schedule, parent) as backup_set:
            missed_items: list[BackupItem] = []
            if parent:
                sets.share_complete_items(backup_set, parent)
                missed_items = list(parent.items.incomplete())
            Reader(run, backup_set, client).read(missed_items)
        record_changes(backup_set, AuthorReader(run, client).set_authors)
    retention.apply(schedule, run)


def _schedule_of(run: ActiveRun) -> BackupSchedule:
    """Return the schedule of the run.

    Raises:
        Blocked: the schedule was deleted, or its tenant is suspended or archived.
    """
    schedule_id = int(run.inputs["backup_schedule_id"])
    schedules = BackupSchedule.objects.with_scope().filter(tenant=run.tenant)
    schedule = schedules.filter(pk=schedule_id, deleted_at=None).first()
    if schedule is None:
        raise Blocked("schedule_gone")
    if not schedule.tenant.is_active:
        raise Blocked(schedule.tenant.inactive_reason, tenant=schedule.tenant.name)
    return schedule


def _set_of_earlier_run(run: ActiveRun) -> BackupSet | None:
    """The set of the latest earlier run that has one, following the retries.

    A full backup can repeat an older one, whose set is not continued.
    """
    current = run.run
    while current.type == OperationRunType.BACKUP_SCHEDULE_RETRY and current.retry_of:
        current = current.retry_of
        backup_set = BackupSet.objects.filter(operation_run=current, tenant=run.tenant).first()
        if backup_set:
            return backup_set
    return None
