"""What a restore would do about one object. Pure: from what is known to what is said about it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backups.diff import Difference, FieldChange, shown_changes
from operations.reasons import SafeError
from operations.sanitize import sanitize_json
from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import Captured, PolicyKind, Restore, in_sentence
from restores import bodies
from restores.bodies import Json, Options
from restores.models import Action, Assignments, RestoreItem

MAX_SHOWN = 2000
MAX_CHANGES = 500
#: What people call the kinds that an object may refer to.
NOUNS = {
    "groups": "group",
    "named_location": "named location",
    "assignment_filters": "assignment filter",
    "scope_tags": "scope tag",
}


@dataclass(frozen=True)
class Live:
    """What the tenant has now: the object that is meant, if it is there, and what else is known.

    `is_other`: it has the name and another id. `same_name` counts objects of the name where it
    cannot be told which is meant. `known_hashes` are the contents that were ever backed up of it.
    `may_be_made`: an earlier restore created it a moment ago, or did not; nobody knows.
    """

    captured: Captured | None = None
    is_other: bool = False
    same_name: int = 0
    known_hashes: Collection[str] = ()
    may_be_made: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What else there is: ids by kind, as far as they could be read, and the ids that objects of
    the backup have now. What the same restore creates counts as there."""

    there: Mapping[str, Collection[str]] = field(default_factory=dict)
    new_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Backup:
    """What the backup has of an object; no payload where it is not kept any more."""

    payload: Json | None
    is_complete: bool = True


@dataclass(frozen=True)
class Plan:
    """What is said about one object. A warning stands in nobody's way, a reason does."""

    action: Action
    reason: SafeError | None = None
    warning: SafeError | None = None
    changes: list[dict[str, str]] = field(default_factory=list)
    target_id: str = ""
    live_hash: str = ""
    wanted_hash: str = ""


def plan(
    kind: PolicyKind,
    backup: Backup,
    live: Live,
    around: Surroundings,
    options: Options,
    *,
    may_write: bool = True,
) -> Plan:
    """What would be done about one backed-up object.

    `may_write` is False where it is known that the connection has no permission to write the kind.
    """
    payload = backup.payload
    if payload is None:
        return Plan(Action.BLOCKED, SafeError("restore_backup_gone"))
    state = bodies.with_ids(bodies.wanted(kind, payload, options), around.new_ids)
    found = live.captured
    present = bodies.present(kind, found.payload, payload, options) if found else None
    told = Plan(
        Action.BLOCKED,
        changes=_changes(kind, present or {}, state),
        target_id=str(found.payload.get("id", "")) if found else "",
        live_hash="" if present is None else bodies.state_hash(present),
        wanted_hash=bodies.state_hash(state),
    )
    if reason := _unknowable(payload, found):
        return replace(told, reason=reason)
    if present is not None and _is_as_backed_up(kind, payload, present, state, around):
        return replace(told, action=Action.UNCHANGED, changes=[])
    if reason := _refusal(kind, backup, live, may_write=may_write) or _missing(state, around):
        return replace(told, reason=reason)
    action, doubt = _action(kind, live)
    warning = _warning(kind, payload, present, state, options)
    return replace(told, action=action, reason=doubt, warning=warning)


def _unknowable(payload: Json, found: Captured | None) -> SafeError | None:
    """Why nobody can tell whether the object is as the backup has it, if so."""
    if count := bodies.encrypted_values(payload):
        return SafeError("restore_encrypted", count=count)
    if found and not found.complete:
        return SafeError("restore_live_unreadable")
    return None


def _is_as_backed_up(
    kind: PolicyKind, payload: Json, present: Json, state: Json, around: Surroundings
) -> bool:
    """Whether nothing has to be done. A policy that is enforced as it was in the backup stays so,
    even where what comes back is to come back report-only: it does not come back."""
    if bodies.same(present, state):
        return True
    if not (bodies.is_enforced(present) and state.get("state") == bodies.REPORT_ONLY):
        return False
    faithful = bodies.comparable(kind, payload, Options())
    return bodies.same(present, bodies.with_ids(faithful, around.new_ids))


def _action(kind: PolicyKind, live: Live) -> tuple[Action, SafeError | None]:
    """What would be done where nothing stands against it, and what has to be decided first."""
    if live.captured is None:
        doubt = SafeError("restore_may_be_made") if live.may_be_made else None
        return (Action.CONFLICT if doubt else Action.CREATE), doubt
    if live.is_other:
        return Action.CONFLICT, SafeError("restore_other_object")
    if kind.content_hash(live.captured.payload) not in live.known_hashes:
        return Action.CONFLICT, SafeError("restore_changed_since")
    return Action.UPDATE, None


def _warning(
    kind: PolicyKind, payload: Json, present: Json | None, state: Json, options: Options
) -> SafeError | None:
    """What somebody may not expect of this write; `present` is None for a new object."""
    if bodies.is_enforced(present or {}) and state.get("state") != bodies.ENABLED:
        by_choice = payload.get("state") == bodies.ENABLED
        return SafeError("restore_stops_enforcing" if by_choice else "restore_was_not_enforced")
    if bodies.is_enforced(state) and not bodies.excludes_somebody(state):
        return SafeError("restore_no_way_back_in")
    was_assigned = kind.key in bodies.ASSIGNED and bool(payload.get("assignments"))
    if present is None and was_assigned and options.assignments == Assignments.KEEP:
        return SafeError("restore_comes_unassigned")
    return None


def digest(items: Iterable[RestoreItem], options: Options) -> str:
    """One value for all that a preview says; another preview that says the same has the same."""
    said = {
        "assignments": str(options.assignments),
        "access_state": str(options.access_state),
        "items": sorted((item.summary() for item in items), key=canonical_json),
    }
    return hashlib.sha256(canonical_json(said)).hexdigest()


def decided(preview_digest: str, items: Iterable[RestoreItem]) -> str:
    """One value for a preview and all that was decided about it: what a person confirms."""
    choices = sorted(f"{item.pk}={item.choice}" for item in items)
    return hashlib.sha256(canonical_json([preview_digest, choices])).hexdigest()


def _refusal(kind: PolicyKind, backup: Backup, live: Live, *, may_write: bool) -> SafeError | None:
    """Why the object may not be written, if so."""
    if kind.restore is not Restore.FULL:
        return SafeError("restore_kind_refused", kind=kind.label_plural)
    if not backup.is_complete:
        return SafeError("restore_incomplete_backup")
    if bodies.is_managed(kind, backup.payload or {}):
        return SafeError("restore_managed")
    if live.captured is None and live.same_name:
        return SafeError("restore_name_taken", count=live.same_name)
    return None if may_write else _unpermitted(kind)


def _missing(state: Json, around: Surroundings) -> SafeError | None:
    """What the object refers to and the tenant does not have."""
    return missing_reference(bodies.references(state), around.there)


def missing_reference(
    found: Mapping[str, set[str]], there: Mapping[str, Collection[str]]
) -> SafeError | None:
    """That something is referred to and is not there, if so; the first kind of it."""
    for kind, ids in bodies.missing(found, there).items():
        return SafeError("restore_reference_missing", what=NOUNS[kind], ids=_some(ids))
    return None


def _unpermitted(kind: PolicyKind) -> SafeError:
    return SafeError(
        "write_permission_missing",
        kind=in_sentence(kind.label_plural),
        permission=kind.permission.write,
    )


def _some(ids: Collection[str]) -> str:
    shown = sorted(ids)[:3]
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return ", ".join(shown) + more


def _changes(kind: PolicyKind, before: Json, after: Json) -> list[dict[str, str]]:
    """The differences as they are kept and shown: redacted, cut, and not too many; how many are
    left out is the last one."""
    found = shown_changes(kind, before, after, _redacted)
    shown = [_shown(change) for change in found[:MAX_CHANGES]]
    if left_out := len(found) - len(shown):
        shown.append(_shown(FieldChange(f"{left_out} more differences", Difference.HIDDEN)))
    return shown


def _redacted(state: Json) -> Json:
    safe = sanitize_json(state, max_bytes=1024 * 1024)
    return safe if isinstance(safe, dict) else {}


def _shown(change: FieldChange) -> dict[str, str]:
    return {
        "path": change.path,
        "difference": str(change.difference),
        "before": change.before[:MAX_SHOWN],
        "after": change.after[:MAX_SHOWN],
    }


def as_columns(told: Plan) -> Mapping[str, Any]:
    """The columns of an item that a plan fills."""
    return {
        "action": told.action,
        "reason_code": told.reason.code if told.reason else "",
        "message": told.reason.message if told.reason else "",
        "next_step": told.reason.next_step if told.reason else "",
        "warning": f"{told.warning.message} {told.warning.next_step}" if told.warning else "",
        "changes": told.changes,
        "target_id": told.target_id,
        "live_hash": told.live_hash,
        "wanted_hash": told.wanted_hash,
    }
