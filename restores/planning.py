"""What a restore would do about one object. Pure: from what is known to what is said about it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backups.diff import FieldChange, shown_changes
from operations.reasons import SafeError
from operations.sanitize import sanitize_json
from providers.graph.capture import Captured
from providers.graph.kinds import PolicyKind, Restore, in_sentence
from providers.graph.normalize import canonical_json
from restores import bodies
from restores.bodies import Json, Options
from restores.models import Action, RestoreItem

MAX_SHOWN = 2000
MAX_CHANGES = 500


@dataclass(frozen=True)
class Live:
    """What the tenant has now: the object that is meant, if it is there, and what else is known.

    `is_other`: it has the name and another id. `same_name` counts objects of the name where it
    cannot be told which is meant. `known_hashes` are the contents that were ever backed up of it.
    """

    captured: Captured | None = None
    is_other: bool = False
    same_name: int = 0
    known_hashes: Collection[str] = ()


@dataclass(frozen=True)
class References:
    """What is there to be referred to. Locations that the same restore creates count as there."""

    groups: Collection[str] = ()
    locations: Collection[str] = ()


@dataclass(frozen=True)
class Backup:
    """What the backup has of an object."""

    payload: Json
    is_complete: bool


@dataclass(frozen=True)
class Plan:
    """What is said about one object."""

    action: Action
    reason: SafeError | None = None
    changes: list[dict[str, str]] = field(default_factory=list)
    target_id: str = ""
    live_hash: str = ""
    wanted_hash: str = ""


def plan(
    kind: PolicyKind,
    payload: Json | None,
    *,
    is_complete: bool,
    live: Live,
    references: References,
    options: Options,
    may_write: bool = True,
) -> Plan:
    """What would be done about one backed-up object.

    `may_write` is False where it is known that the connection has no permission to write the kind.
    """
    if payload is None:
        return Plan(Action.BLOCKED, SafeError("restore_backup_gone"))
    state = bodies.wanted(kind, payload, options)
    found = live.captured
    present = bodies.comparable(kind, found.payload, options) if found else None
    told = Plan(
        Action.BLOCKED,
        changes=_changes(kind, present or {}, state),
        target_id=str(found.payload.get("id", "")) if found else "",
        live_hash=bodies.state_hash(present) if present is not None else "",
        wanted_hash=bodies.state_hash(state),
    )
    if told.live_hash == told.wanted_hash:
        return _said(told, Action.UNCHANGED)
    backup = Backup(payload, is_complete)
    if reason := _refusal(kind, backup, live) or _missing(kind, state, references):
        return _said(told, Action.BLOCKED, reason)
    if not may_write:
        return _said(told, Action.BLOCKED, _unpermitted(kind))
    if found is None:
        return _said(told, Action.CREATE)
    if live.is_other:
        return _said(told, Action.CONFLICT, SafeError("restore_other_object"))
    if kind.content_hash(found.payload) not in live.known_hashes:
        return _said(told, Action.CONFLICT, SafeError("restore_changed_since"))
    return _said(told, Action.UPDATE)


def digest(items: Iterable[RestoreItem], options: Options) -> str:
    """One value for all that a preview says; another preview that says the same has the same."""
    said = {
        "assignments": str(options.assignments),
        "access_state": str(options.access_state),
        "items": sorted((item.summary() for item in items), key=canonical_json),
    }
    return hashlib.sha256(canonical_json(said)).hexdigest()


def _said(told: Plan, action: Action, reason: SafeError | None = None) -> Plan:
    return Plan(**{**vars(told), "action": action, "reason": reason})


def _refusal(kind: PolicyKind, backup: Backup, live: Live) -> SafeError | None:
    """Why the object may not be written, if so."""
    if kind.restore is not Restore.FULL:
        return SafeError("restore_kind_refused", kind=kind.label_plural)
    if not backup.is_complete:
        return SafeError("restore_incomplete_backup")
    if count := bodies.encrypted_values(backup.payload):
        return SafeError("restore_encrypted", count=count)
    if bodies.is_managed(kind, backup.payload):
        return SafeError("restore_managed")
    if live.captured and not live.captured.complete:
        return SafeError("restore_live_unreadable")
    if live.captured is None and live.same_name:
        return SafeError("restore_name_taken", count=live.same_name)
    return None


def _missing(kind: PolicyKind, state: Json, references: References) -> SafeError | None:
    """What the object refers to and the tenant does not have."""
    for what, missing in (
        ("group", bodies.groups_of(kind, state) - set(references.groups)),
        ("named location", bodies.locations_of(state) - set(references.locations)),
    ):
        if missing:
            return SafeError("restore_reference_missing", what=what, ids=_some(missing))
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
    """The differences as they are kept and shown: redacted, cut, and not too many."""
    found = shown_changes(kind, before, after, _redacted)
    return [_shown(change) for change in found[:MAX_CHANGES]]


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
        "changes": told.changes,
        "target_id": told.target_id,
        "live_hash": told.live_hash,
        "wanted_hash": told.wanted_hash,
    }
