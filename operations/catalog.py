"""What each type of operation is called, costs, needs and allows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from operations.types import OperationRunType
from tenancy.roles import Capability


class Scope(StrEnum):
    """What a run of the type belongs to."""

    TENANT = "tenant"
    WORKSPACE = "workspace"


class Retry(StrEnum):
    """Who may start lost or failed work again."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    NEVER = "never"


class Queue(StrEnum):
    """Short syncs never wait behind long backups, and nothing waits behind a restore."""

    DEFAULT = "default"
    SYNC = "sync"
    BACKUP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    """One type of operation.

    `identity_group`: types that share a group exclude each other; by default a type is its own.
    `retry_as`: the type that a retry of it has; by default its own.
    `start_deadline`: how long it may wait for a worker before it has failed to start.
    """

    label: str
    description: str
    starts_with: Capability
    scope: Scope = Scope.TENANT
    queue: Queue = Queue.DEFAULT
    expected: dt.timedelta | None = None
    time_limit: dt.timedelta = dt.timedelta(minutes=30)
    start_deadline: dt.timedelta = dt.timedelta(hours=1)
    retry: Retry = Retry.MANUAL
    identity_group: str = ""
    retry_as: OperationRunType | None = None


_BACKUP = CatalogEntry(
    label="Backup",
    description="Reads every policy of the schedule's kinds and keeps what changed.",
    starts_with=Capability.START_BACKUP,
    queue=Queue.BACKUP,
    expected=dt.timedelta(minutes=2),
    time_limit=dt.timedelta(hours=2),
    start_deadline=dt.timedelta(hours=6),
    retry=Retry.AUTOMATIC,
    identity_group="backup_schedule",
    retry_as=OperationRunType.BACKUP_SCHEDULE_RETRY,
)


def _backup(label: str, description: str) -> CatalogEntry:
    return CatalogEntry(**{**vars(_BACKUP), "label": label, "description": description})


def _sync(label: str, description: str, expected: dt.timedelta) -> CatalogEntry:
    return CatalogEntry(
        label=label,
        description=description,
        starts_with=Capability.START_SYNC,
        queue=Queue.SYNC,
        expected=expected,
        time_limit=dt.timedelta(minutes=30),
        retry=Retry.AUTOMATIC,
    )


_ENTRIES: dict[OperationRunType, CatalogEntry] = {
    OperationRunType.PROVIDER_CONNECTION_CHECK: CatalogEntry(
        label="Connection check",
        description="Signs in, compares the tenant, and tries every permission once.",
        starts_with=Capability.CHECK_CONNECTION,
        expected=dt.timedelta(seconds=10),
        time_limit=dt.timedelta(minutes=10),
    ),
    OperationRunType.INVENTORY_SYNC: _sync(
        "Inventory sync",
        "Lists the policies of every kind, and marks what is gone.",
        dt.timedelta(seconds=30),
    ),
    OperationRunType.DIRECTORY_GROUPS_SYNC: _sync(
        "Groups sync",
        "Lists the groups of the directory, and marks what is gone.",
        dt.timedelta(seconds=30),
    ),
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC: _sync(
        "Role definitions sync",
        "Lists the directory roles, built-in and custom, and marks what is gone.",
        dt.timedelta(seconds=10),
    ),
    OperationRunType.WORKSPACE_INVENTORY_SYNC: CatalogEntry(
        label="Inventory sync of all tenants",
        description="Starts an inventory sync on every active tenant and sums up their results.",
        starts_with=Capability.START_SYNC,
        scope=Scope.WORKSPACE,
        time_limit=dt.timedelta(hours=6),
        start_deadline=dt.timedelta(hours=6),
        retry=Retry.AUTOMATIC,
    ),
    OperationRunType.BACKUP_SCHEDULE_SCHEDULED: _backup(
        "Scheduled backup", "A schedule's slot came: reads every policy, keeps what changed."
    ),
    OperationRunType.BACKUP_SCHEDULE_RUN_NOW: _backup(
        "Backup now", "Somebody started a schedule's backup by hand."
    ),
    OperationRunType.BACKUP_SCHEDULE_RETRY: _backup(
        "Backup retry", "Repeats what an earlier backup could not read."
    ),
    OperationRunType.BACKUP_SET_ADD_POLICIES: CatalogEntry(
        label="Add policies to a backup set",
        description="Reads the selected policies and keeps them in a set of that name.",
        starts_with=Capability.START_BACKUP,
        queue=Queue.BACKUP,
        expected=dt.timedelta(seconds=30),
        time_limit=dt.timedelta(hours=1),
        retry=Retry.AUTOMATIC,
    ),
    OperationRunType.POLICY_EXPORT: CatalogEntry(
        label="Policy export",
        description="Reads the selected policies into an archive to download.",
        starts_with=Capability.EXPORT_POLICIES,
        queue=Queue.BACKUP,
        expected=dt.timedelta(seconds=30),
        time_limit=dt.timedelta(hours=1),
        retry=Retry.AUTOMATIC,
    ),
    OperationRunType.RESTORE_PREVIEW: CatalogEntry(
        label="Restore preview",
        description="Compares the backup with what is there now; changes nothing.",
        starts_with=Capability.RESTORE,
        queue=Queue.RESTORE,
        expected=dt.timedelta(seconds=30),
        time_limit=dt.timedelta(hours=1),
        retry=Retry.NEVER,
    ),
    OperationRunType.RESTORE_EXECUTE: CatalogEntry(
        label="Restore",
        description="Backs up what is there, then writes exactly what was previewed.",
        starts_with=Capability.RESTORE,
        queue=Queue.RESTORE,
        expected=dt.timedelta(minutes=1),
        time_limit=dt.timedelta(hours=2),
        retry=Retry.NEVER,
        identity_group="restore.execute",
    ),
    OperationRunType.OPERATIONS_PRUNE: CatalogEntry(
        label="Retention",
        description="Removes the details of old runs, and later the runs, as the settings say.",
        starts_with=Capability.PRUNE_RUNS,
        scope=Scope.WORKSPACE,
        expected=dt.timedelta(minutes=1),
        time_limit=dt.timedelta(hours=1),
        start_deadline=dt.timedelta(hours=6),
    ),
}


class OperationCatalog:
    """Look-ups by type."""

    @staticmethod
    def get(run_type: str) -> CatalogEntry:
        """The entry of a type.

        Raises:
            KeyError: no such type; the system checks make sure that every type has an entry.
        """
        return _ENTRIES[OperationRunType(run_type)]

    @staticmethod
    def find(run_type: str) -> CatalogEntry | None:
        """The entry, or None for a type that a newer or older version wrote."""
        return _ENTRIES.get(run_type)  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def all() -> dict[OperationRunType, CatalogEntry]:
        """Every entry, in the order of the vocabulary."""
        return {
            run_type: _ENTRIES[run_type] for run_type in OperationRunType if run_type in _ENTRIES
        }

    @staticmethod
    def label(run_type: str) -> str:
        """What people call the type."""
        entry = OperationCatalog.find(run_type)
        return entry.label if entry else run_type

    @staticmethod
    def identity_group(run_type: str) -> str:
        """The group of types that exclude each other."""
        return OperationCatalog.get(run_type).identity_group or str(run_type)
