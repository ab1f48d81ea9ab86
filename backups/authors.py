"""Who made the changes of a backup set, according to the tenant's audit logs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backups.models import AuthorGap, BackupSet, PolicyChange
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.audit_logs import AuditLog, Event, audit_log_of
from providers.graph.client import GraphClient
from providers.graph.errors import PermissionMissing
from redaction.text import sanitize_text


class AuthorReader:
    """Reads an audit log once for all changes that it records.

    What cannot be read never fails the backup: the changes say why their author is not known.
    """

    def __init__(self, run: ActiveRun, client: GraphClient) -> None:
        self._run = run
        self._client = client

    def set_authors(self, backup_set: BackupSet, changes: Sequence[PolicyChange]) -> None:
        """Set the author of each change, or the gap."""
        by_log: dict[AuditLog, list[PolicyChange]] = defaultdict(list)
        for change in changes:
            by_log[audit_log_of(change.kind)].append(change)
        self._run.set_phase("Reading the audit log")
        for log, recorded in by_log.items():
            events, gap = self._read(log, backup_set, recorded)
            for change in recorded:
                _set_author(change, events.get(change.graph_id), gap)

    def _read(
        self, log: AuditLog, backup_set: BackupSet, changes: Sequence[PolicyChange]
    ) -> tuple[dict[str, Event], AuthorGap]:
        """The last event of each object in the window of the changes, and the gap of the others."""
        previous = changes[0].previous_set
        if previous is None or backup_set.ended_at is None:
            return {}, AuthorGap.NOT_READ
        try:
            if not log.is_permitted(self._client):
                return {}, AuthorGap.PERMISSION
            events = log.events(self._client, previous.started_at, backup_set.ended_at)
        except PermissionMissing:
            return {}, AuthorGap.PERMISSION
        except SafeError:
            return {}, AuthorGap.UNREADABLE
        last = sorted(events, key=lambda event: event.at)
        return {event.object_id: event for event in last}, AuthorGap.NOT_LOGGED


def _set_author(change: PolicyChange, event: Event | None, gap: AuthorGap) -> None:
    author = sanitize_text(event.author, 300) if event else ""
    if event and author:
        change.author, change.changed_at, change.author_gap = author, event.at, ""
    else:
        change.author_gap = gap
