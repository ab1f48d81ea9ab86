"""Sync groups by what changed since the last sync; list all of them where that is not known.

A delta query returns changed groups in part only, so they are read again, in batches.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from inventory.mirror import GROUPS, is_empty
from inventory.syncing import Sync
from operations.models import EventLevel
from operations.worker.active_run import ActiveRun
from providers.graph import delta
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, ObjectNotFound
from providers.graph.kinds import KIND
from providers.graph.policy_kind import parse_time
from providers.handling import raise_if_blocking, read_many
from providers.models import ProviderConnection
from tenancy.db import database_now

#: All groups are listed this often, because a delta query reports what Graph noticed.
LIST_EVERY = dt.timedelta(days=6, hours=12)
#: Listing all groups takes fewer requests than reading more than this many changed ones.
MAX_CHANGED = 1000
Json = dict[str, Any]


class GroupsSync:
    """The sync of the groups of one tenant."""

    def __init__(
        self, run: ActiveRun, connection: ProviderConnection, client: GraphClient, sync: Sync
    ) -> None:
        self._run = run
        self._connection = connection
        self._client = client
        self._sync = sync
        self._kind = KIND["groups"]
        self._select = {"$select": self._kind.list_params["$select"]}

    def run(self) -> None:
        """Mirror the groups.

        Raises:
            Blocked: the tenant rejects the connection.
            StopRun: the run was asked to stop.
        """
        if not self._sync_changes():
            self._list_all()

    def _list_all(self) -> None:
        # What changes while the groups are listed is read again by the next sync.
        link, listed_at = self._latest_link(), database_now()
        if self._sync.mirror(self._kind):
            self._store(link, listed_at)

    def _latest_link(self) -> str:
        try:
            return delta.latest_link(self._client, self._kind.list_path, self._select)
        except GraphError as error:
            raise_if_blocking(error)
            return ""

    def _sync_changes(self) -> bool:
        """Mirror what changed since the last sync; return whether that was possible."""
        stored = self._connection.delta_links.get(self._kind.key, {})
        listed_at = parse_time(stored.get("listed_at"))
        if not stored.get("link") or listed_at is None or is_empty(GROUPS, self._run.tenant):
            return False
        if not dt.timedelta(0) <= database_now() - listed_at < LIST_EVERY:
            return False
        self._run.set_phase("Reading the changes of groups")
        try:
            changes = delta.changes_since(self._client, stored["link"], self._kind.list_path)
            if len(changes.changed) > MAX_CHANGED:
                return False
            entries = self._read(changes)
        except delta.DeltaExpired:
            return False
        except GraphError as error:
            raise_if_blocking(error)
            self._run.add_note(
                f"The changes of groups could not be read, so all groups are listed. {error.message}",
                EventLevel.WARNING,
            )
            return False
        self._sync.apply(self._kind, entries, changes.removed)
        self._store(changes.link, listed_at)
        return True

    def _read(self, changes: delta.Changes) -> list[Json]:
        """Read the changed groups completely; a group that no longer exists counts as removed.

        Raises:
            GraphError: a group could not be read.
        """
        entries = []
        reads = (partial(self._get, graph_id) for graph_id in changes.changed)
        with read_many(self._run, self._client, reads) as outcomes:
            for graph_id, outcome in zip(changes.changed, outcomes, strict=True):
                try:
                    entries.append(outcome.get())
                except ObjectNotFound:
                    changes.removed.add(graph_id)
        return entries

    def _get(self, graph_id: str, client: GraphClient) -> Json:
        return client.get(self._kind.object_path({"id": graph_id}), self._select)

    def _store(self, link: str, listed_at: dt.datetime) -> None:
        """Store the link for the next sync; an empty one lets it list all groups."""
        state = {"link": link, "listed_at": listed_at.isoformat()}
        links = {**self._connection.delta_links, self._kind.key: state}
        ProviderConnection.objects.filter(pk=self._connection.pk).update(delta_links=links)
