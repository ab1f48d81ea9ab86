"""What a worker does for a backup: read everything, keep what changed, say what is missing."""

from __future__ import annotations

import datetime as dt
import functools

from backups import retention, sets
from backups.adding import Adding
from backups.exporting import export
from backups.models import BackupItem, BackupSchedule, BackupSet
from backups.reading import Reader
from operations.catalog import Queue, Retry
from operations.handlers import operation
from operations.reasons import Blocked
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import graph_client_for
from providers.handling import active_tenant, telling_waits
from tenancy.roles import Capability

#: The types of a schedule's backup exclude each other: one backup of a schedule at a time.
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
    description="Reads every policy of the schedule's kinds and keeps what changed.",
    slot_key="backup_schedule_id",
)
@backup_operation(
    OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
    label="Backup now",
    description="A schedule's backup that a person started.",
)
def back_up(run: ActiveRun) -> None:
    """Read every kind of the schedule into a new set, then let go of sets that are too old.

    Safe to run again: each run makes a set of its own, and equal contents are stored once.
    """
    _read(run, _schedule_of(run), parent=None)


@backup_operation(
    OperationRunType.BACKUP_SCHEDULE_RETRY,
    label="Backup retry",
    description="Repeats the part of an earlier backup that could not be read.",
)
def repeat_failed(run: ActiveRun) -> None:
    """Read again what an earlier backup missed, into a new set that takes over all the rest.

    Where the earlier backup left no set, it is a whole backup.
    """
    _read(run, _schedule_of(run), parent=_set_of_earlier(run))


@selection_operation(
    OperationRunType.BACKUP_SET_ADD_POLICIES,
    label="Add policies to a backup set",
    description="Reads the selected policies into the backup set of that name.",
    required_capability=Capability.START_BACKUP,
)
def add_policies(run: ActiveRun) -> None:
    """Read the selected policies into the set of that name; what it holds already is skipped."""
    with graph_client_for(active_tenant(run), on_wait=telling_waits(run)) as client:
        Adding(run, str(run.inputs["set_name"])).add(client)


@selection_operation(
    OperationRunType.POLICY_EXPORT,
    label="Policy export",
    description="Reads the selected policies into an archive to download.",
    required_capability=Capability.EXPORT_POLICIES,
)
def export_policies(run: ActiveRun) -> None:
    """Read the selected policies into an archive; each run makes one of its own."""
    with graph_client_for(active_tenant(run), on_wait=telling_waits(run)) as client:
        export(run, client)


def _read(run: ActiveRun, schedule: BackupSchedule, parent: BackupSet | None) -> None:
    sets.close_abandoned(schedule)
    run.set_phase("Connecting")
    with (
        graph_client_for(run.tenant, on_wait=telling_waits(run)) as client,
        sets.building(run, schedule, parent) as backup_set,
    ):
        missed: list[BackupItem] = []
        if parent:
            sets.carry_over(backup_set, parent)
            missed = list(parent.items.incomplete())
        Reader(run, backup_set, client).read(missed)
    retention.apply(schedule, run)


def _schedule_of(run: ActiveRun) -> BackupSchedule:
    """The schedule of the run, if a backup of it may run."""
    schedule_id = int(run.inputs["backup_schedule_id"])
    schedules = BackupSchedule.objects.with_scope().filter(tenant=run.tenant)
    schedule = schedules.filter(pk=schedule_id).first()
    if schedule is None:
        raise Blocked("schedule_gone")
    if not schedule.tenant.is_active:
        raise Blocked("tenant_suspended", tenant=schedule.tenant.name)
    return schedule


def _set_of_earlier(run: ActiveRun) -> BackupSet | None:
    """The set of the run that this one repeats, or of the one which that repeated, and so on."""
    earlier = run.run.retry_of
    while earlier:
        found = BackupSet.objects.filter(operation_run=earlier, tenant=run.tenant).first()
        if found:
            return found
        earlier = earlier.retry_of
    return None
