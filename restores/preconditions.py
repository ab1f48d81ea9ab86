"""What must still be true just before an object is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from operations.reasons import SafeError
from providers.graph.policy_kind import Capture
from restores import bodies, planning
from restores.bodies import Json
from restores.loading import NewIds, existing_ids, merged, replaced_ids, restored_ids
from restores.models import Action, RestoreItem, RestoreRun
from restores.reading import LIST_MAX_AGE_SECONDS, LiveTenant, is_possibly_created
from restores.target import Target


class RestoredIds:
    """The current ids of this restore's objects, by kind and by their ids in the backup."""

    def __init__(self, items: Iterable[RestoreItem]) -> None:
        self.items = list(items)

    @property
    def previewed(self) -> NewIds:
        """Unchanged objects that exist under another id, as the preview saw them."""
        return _by_kind(
            (item, item.target_id)
            for item in self.items
            if item.action == Action.UNCHANGED and item.target_id != item.graph_id
        )

    @property
    def written(self) -> NewIds:
        """Objects that this execution has written under another id."""
        return _by_kind(
            (item, item.result_id)
            for item in self.items
            if item.result_id not in ("", item.graph_id)
        )

    @property
    def current(self) -> NewIds:
        return merged(self.previewed, self.written)


def _by_kind(pairs: Iterable[tuple[RestoreItem, str]]) -> NewIds:
    new_ids: NewIds = {}
    for item, new_id in pairs:
        new_ids.setdefault(item.kind, {})[item.graph_id] = new_id
    return new_ids


class Preconditions:
    """Compares a target with the preview and with the tenant, just before it is written."""

    def __init__(self, restore: RestoreRun, live: LiveTenant, restored: RestoredIds) -> None:
        self._restore = restore
        self._live = live
        self._restored = restored

    def state_as_previewed(self, target: Target) -> Json:
        """The state to write, referring to the ids that the preview knew.

        Raises:
            GraphError: the objects that it refers to could not be read.
        """
        state = target.expected_state
        references = bodies.references(target.kind, state)
        replaced = replaced_ids(
            self._live, self._restore.tenant_id, references, self._restored.items
        )
        earlier = restored_ids(self._live, references)
        new_ids = merged(replaced, self._restored.previewed, earlier)
        return bodies.replace_ids(target.kind, state, new_ids)

    def refusal(
        self, target: Target, state: Json, live: Capture | None, *, is_backed_up: bool
    ) -> SafeError | None:
        """The reason why the object must not be written any more, if there is one.

        `state` comes from `state_as_previewed`; `live` is the object as it was just read.

        Raises:
            GraphError: a list or an object that the decision needs could not be read.
        """
        item = target.item
        if live and not is_backed_up:
            return SafeError("restore_live_unreadable")
        if self._has_changed(target, live):
            return SafeError("restore_moved_since_preview")
        if bodies.state_hash(state) != item.expected_hash:
            return SafeError("restore_not_as_previewed")
        # A decision made at the preview already covers earlier attempts to create the object.
        since = self._restore.previewed_at if item.decision else None
        if not item.written_id and is_possibly_created(self._restore.tenant_id, item, since=since):
            return SafeError("restore_may_be_made")
        current = target.current_state(live) if live else None
        current_state = bodies.replace_ids(target.kind, state, self._restored.current)
        sent = bodies.sent_references(target.kind, current_state, current)
        return self._missing_reference(sent)

    def _has_changed(self, target: Target, live: Capture | None) -> bool:
        """Whether the object is not as previewed, or exists although the preview did not find it."""
        if not target.item.written_id:
            return self._exists(target)
        if live is None or not live.complete:
            return True
        return bodies.state_hash(target.current_state(live)) != target.item.live_hash

    def _exists(self, target: Target) -> bool:
        """Whether an object exists that may be the target, other than those that the operator
        decided to leave as they are."""
        item, key = target.item, target.kind.key
        named = self._live.find_by_name(target, max_age=LIST_MAX_AGE_SECONDS)
        if item.reason_code != "restore_name_taken":
            known = {item.target_id} | self._live.distinct_ids(target, named)
            if any(str(each["id"]) not in known for each in named):
                return True
        earlier_ids = {*self._live.ids_of(key, item.graph_id)} - {item.target_id}
        return not self._live.ids(key).isdisjoint(earlier_ids)

    def _missing_reference(self, references: Mapping[str, set[str]]) -> SafeError | None:
        created = _ids_in(self._restored.written) - _ids_in(self._restored.previewed)
        return planning.missing_reference(references, existing_ids(self._live, references, created))


def _ids_in(new_ids: NewIds) -> frozenset[str]:
    return frozenset(new_id for ids in new_ids.values() for new_id in ids.values())
