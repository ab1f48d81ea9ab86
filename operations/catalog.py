"""The catalog of operations: label, limits, required capability and rules of each type.

Apps declare their operations with `@operation` (`operations.handlers`), which adds the entries.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from operations.types import OperationRunType
from tenancy.roles import Capability


class Scope(StrEnum):
    """Whether the runs of a type belong to a tenant or to a workspace."""

    TENANT = "tenant"
    WORKSPACE = "workspace"


class Retry(StrEnum):
    """Whether a run can be retried, and whether the reconciler retries lost runs."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    NEVER = "never"


class Queue(StrEnum):
    """The queues; short syncs never wait behind long backups, and nothing waits behind a restore."""

    DEFAULT = "default"
    SYNC = "sync"
    BACKUP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    """The catalog entry of one operation type."""

    label: str
    description: str
    #: The capability that a user needs to start a run.
    required_capability: Capability
    scope: Scope
    queue: Queue
    expected_duration: dt.timedelta | None
    #: The longest time that a run may be running.
    time_limit: dt.timedelta
    #: The longest time that a run may be queued; after it, the run fails as never started.
    start_deadline: dt.timedelta
    retry: Retry
    #: Types of one group exclude each other; without a group, a type excludes only itself.
    identity_group: str
    #: The type of a retry; by default the type itself.
    retry_as: OperationRunType | None
    #: The type of a run that does everything again; by default the type itself.
    repeat_as: OperationRunType | None
    #: The context key that identifies a slot together with `scheduled_for`; a slot has at most one run.
    #: A unique index in a migration of the declaring app guarantees it.
    slot_key: str


_ENTRIES: dict[OperationRunType, CatalogEntry] = {}


def add_entry(run_type: OperationRunType, entry: CatalogEntry) -> None:
    """Add the entry of a type; only `@operation` calls this."""
    _ENTRIES[run_type] = entry


class OperationCatalog:
    """Lookups by operation type."""

    @staticmethod
    def get(run_type: str) -> CatalogEntry:
        """Return the entry of a type.

        Raises:
            KeyError: the type is not declared; the system checks report this at startup.
            ValueError: the value is not an `OperationRunType`.
        """
        return _ENTRIES[OperationRunType(run_type)]

    @staticmethod
    def find(run_type: str) -> CatalogEntry | None:
        """Return the entry, or None for a type that another version of Runledger wrote."""
        return _ENTRIES.get(run_type)  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def all() -> dict[OperationRunType, CatalogEntry]:
        """Return every entry, in the order of `OperationRunType`."""
        return {
            run_type: _ENTRIES[run_type] for run_type in OperationRunType if run_type in _ENTRIES
        }

    @staticmethod
    def label(run_type: str) -> str:
        """Return the label of a type, or its value where the type is not declared."""
        entry = OperationCatalog.find(run_type)
        return entry.label if entry else run_type

    @staticmethod
    def types_alike(run_type: str) -> list[str]:
        """Return the types whose runs can have the identity of a run of this type."""
        if OperationCatalog.find(run_type) is None:
            return [run_type]
        group = OperationCatalog.identity_group(run_type)
        types = OperationCatalog.all()
        return [each.value for each in types if OperationCatalog.identity_group(each) == group]

    @staticmethod
    def identity_group(run_type: str) -> str:
        """Return the group within which runs with equal inputs exclude each other."""
        return OperationCatalog.get(run_type).identity_group or str(run_type)
