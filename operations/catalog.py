"""The read side of the declared operations: label, limits, capability and rules of each type.

Apps declare their operations with `@operation` (`operations.handlers`), which adds the entries.
"""

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
    """Whether lost or failed work may be started again, and by whom."""

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
    """One type of operation."""

    label: str
    description: str
    #: What a person needs to start it.
    required_capability: Capability
    scope: Scope = Scope.TENANT
    queue: Queue = Queue.DEFAULT
    expected_duration: dt.timedelta | None = None
    #: How long a run may be running.
    time_limit: dt.timedelta = dt.timedelta(minutes=30)
    #: How long a run may be queued before it has failed to start.
    start_deadline: dt.timedelta = dt.timedelta(hours=1)
    retry: Retry = Retry.MANUAL
    #: Types of one group exclude each other; without a group a type excludes only itself.
    identity_group: str = ""
    #: The type of a retry; without one it is the type itself.
    retry_as: OperationRunType | None = None
    #: The context key that together with `scheduled_for` names a slot, which has one run at most.
    #: A unique index in a migration of the declaring app guarantees it.
    slot_key: str = ""


_ENTRIES: dict[OperationRunType, CatalogEntry] = {}


def add_entry(run_type: OperationRunType, entry: CatalogEntry) -> None:
    """Add a type; called by `@operation` only."""
    _ENTRIES[run_type] = entry


class OperationCatalog:
    """Look-ups by type."""

    @staticmethod
    def get(run_type: str) -> CatalogEntry:
        """Return the entry of a type.

        Raises:
            KeyError: the type is not declared; the system checks find that at start.
            ValueError: the value is not in the vocabulary.
        """
        return _ENTRIES[OperationRunType(run_type)]

    @staticmethod
    def find(run_type: str) -> CatalogEntry | None:
        """Return the entry, or None for a type that another version wrote."""
        return _ENTRIES.get(run_type)  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def all() -> dict[OperationRunType, CatalogEntry]:
        """Return every entry, in the order of the vocabulary."""
        return {
            run_type: _ENTRIES[run_type] for run_type in OperationRunType if run_type in _ENTRIES
        }

    @staticmethod
    def label(run_type: str) -> str:
        """Return the label of a type, or its value where the type is not declared."""
        entry = OperationCatalog.find(run_type)
        return entry.label if entry else run_type

    @staticmethod
    def identity_group(run_type: str) -> str:
        """Return the group within which runs of equal inputs exclude each other."""
        return OperationCatalog.get(run_type).identity_group or str(run_type)
