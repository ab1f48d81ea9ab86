"""What a restore would do about one object. Pure: every plan follows from the arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backups.diff import Difference, FieldChange, shown_changes
from operations.reasons import SafeError
from providers.graph.kinds import KIND
from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import Capture, PolicyKind, Restore, in_sentence
from redaction.json import sanitize_payload
from restores import bodies
from restores.bodies import Json, Options
from restores.models import Action, Assignments, RestoreItem
from restores.target import Target

MAX_VALUE_LENGTH = 2000
MAX_CHANGES = 500
MAX_IDS_IN_MESSAGE, MAX_MISSING = 3, 100


@dataclass(frozen=True)
class LiveObject:
    """The current object that corresponds to a target, if there is one, and what else is known.

    `is_other_object`: it has the same name and another id. Of the objects of the same name,
    `possible_count` may be the target under another id, and `distinct_count` certainly are not.
    `backed_up_hashes` are the content hashes of all its backups. `possibly_created`: an earlier
    restore sent a request to create it recently, and its outcome is unknown.
    """

    captured: Capture | None = None
    is_other_object: bool = False
    possible_count: int = 0
    distinct_count: int = 0
    backed_up_hashes: Collection[str] = ()
    possibly_created: bool = False


@dataclass(frozen=True)
class References:
    """The objects that a target refers to.

    `existing_ids`, by kind, as far as they could be read; objects that the same restore creates
    count as existing. `new_ids` are the current ids of objects, by kind and by id in the backup.
    """

    existing_ids: Mapping[str, Collection[str]] = field(default_factory=dict)
    new_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The result of a preview for one object. A reason prevents the write, warnings do not.

    `missing` are the objects that it refers to and the tenant lacks, each {kind, id}.
    """

    action: Action
    reason: SafeError | None = None
    missing: Sequence[Mapping[str, str]] = ()
    warnings: Sequence[SafeError] = ()
    changes: list[dict[str, str]] = field(default_factory=list)
    target_id: str = ""
    live_hash: str = ""
    expected_hash: str = ""


def plan(
    target: Target,
    live: LiveObject,
    references: References,
    *,
    may_write: bool = True,
    reads_values: bool = True,
) -> Plan:
    """Plan what to do about one backed-up object.

    `may_write` is False where the connection is known to lack the permission to write the kind,
    `reads_values` where it is not allowed to read encrypted values.
    """
    if not target.is_backup_available:
        return Plan(Action.BLOCKED, SafeError("restore_backup_gone"))
    expected = bodies.replace_ids(target.kind, target.expected_state, references.new_ids)
    captured = live.captured
    current = target.current_state(captured) if captured else None
    blocked = Plan(
        Action.BLOCKED,
        changes=_changes(target.kind, current or {}, expected),
        target_id=str(captured.payload.get("id", "")) if captured else "",
        live_hash="" if current is None else bodies.state_hash(current),
        expected_hash=bodies.state_hash(expected),
    )
    if reason := _incomparable(target, captured, reads_values=reads_values):
        return replace(blocked, reason=reason)
    if current is not None and _matches_backup(target, current, expected, references):
        uncompared = (*_unread_warnings(target, current), *_lacking_warnings(target))
        return replace(blocked, action=Action.UNCHANGED, changes=[], warnings=uncompared)
    if reason := _refusal(target, live, may_write=may_write):
        return replace(blocked, reason=reason)
    sent = bodies.sent_references(target.kind, expected, current)
    if reason := missing_reference(sent, references.existing_ids):
        missing = missing_objects(sent, references.existing_ids)
        return replace(blocked, reason=reason, missing=missing)
    action, conflict = _action(target.kind, live)
    warnings = tuple(_warnings(target, live, current, expected))
    return replace(blocked, action=action, reason=conflict, warnings=warnings)


def _incomparable(
    target: Target, captured: Capture | None, *, reads_values: bool
) -> SafeError | None:
    """The reason why the object cannot be compared with its backup, if there is one."""
    count = bodies.count_sealed_values(target.payload)
    is_masked_now = captured is not None and bool(bodies.count_encrypted_values(captured.payload))
    if count and (is_masked_now or not reads_values):
        return SafeError("restore_values_not_read", count=count)
    if count := bodies.count_encrypted_values(target.payload):
        return SafeError("restore_encrypted", count=count)
    if captured and not captured.complete:
        return SafeError("restore_live_unreadable")
    return None


def _matches_backup(target: Target, current: Json, expected: Json, references: References) -> bool:
    """Whether nothing has to be written.

    A policy that is enforced as in the backup stays enforced, even where policies are restored
    report-only: it is not restored.
    """
    if bodies.is_same_json(current, expected):
        return True
    if not bodies.is_enforced(current) or expected.get("state") != bodies.REPORT_ONLY:
        return False
    as_backed_up = bodies.comparable_state(target.kind, target.payload, Options())
    return bodies.is_same_json(
        current, bodies.replace_ids(target.kind, as_backed_up, references.new_ids)
    )


def _refusal(target: Target, live: LiveObject, *, may_write: bool) -> SafeError | None:
    """The reason why the object may not be written, if there is one."""
    kind = target.kind
    if reason := backup_refusal(kind, target.payload, is_complete=target.is_backup_complete):
        return reason
    if not may_write:
        return SafeError(
            "write_permission_missing",
            kind=in_sentence(kind.label_plural),
            permission=kind.write_permission,
        )
    return None


def backup_refusal(kind: PolicyKind, payload: Json, *, is_complete: bool) -> SafeError | None:
    """The reason why no object is restored from this content, if there is one."""
    if parts := kind.lacking(payload) if kind.lacking else []:
        return SafeError("restore_lacking", parts=" and ".join(parts))
    if kind.restore is not Restore.FULL:
        return SafeError("restore_kind_refused", kind=kind.label_plural)
    if not is_complete:
        return SafeError("restore_incomplete_backup")
    if bodies.is_microsoft_managed(kind, payload):
        return SafeError("restore_managed")
    if what := kind.refuses(payload) if kind.refuses else "":
        return SafeError("restore_kind_refused", kind=what)
    return None


def missing_objects(
    references: Mapping[str, set[str]], existing_ids: Mapping[str, Collection[str]]
) -> list[dict[str, str]]:
    """The referenced objects that do not exist, each {kind, id}."""
    missing = bodies.missing_references(references, existing_ids)
    return [{"kind": kind, "id": each} for kind, ids in missing.items() for each in sorted(ids)]


def missing_reference(
    references: Mapping[str, set[str]], existing_ids: Mapping[str, Collection[str]]
) -> SafeError | None:
    """The reason that referenced objects do not exist, if so."""
    missing = [
        f"{in_sentence(KIND[each['kind']].label)} {each['id']}"
        for each in missing_objects(references, existing_ids)
    ]
    if not missing:
        return None
    objects = ", ".join(missing[:MAX_IDS_IN_MESSAGE])
    if len(missing) > MAX_IDS_IN_MESSAGE:
        objects += f" and {len(missing) - MAX_IDS_IN_MESSAGE} more"
    return SafeError("restore_reference_missing", objects=objects)


def _action(kind: PolicyKind, live: LiveObject) -> tuple[Action, SafeError | None]:
    """The action where nothing prevents it, and the conflict that has to be decided first."""
    if live.captured is None and live.possibly_created:
        return Action.CONFLICT, SafeError("restore_may_be_made")
    if live.captured is None and live.possible_count:
        return Action.CONFLICT, SafeError("restore_name_taken", count=live.possible_count)
    if live.captured is None:
        return Action.CREATE, None
    if live.is_other_object:
        return Action.CONFLICT, SafeError("restore_other_object")
    if kind.content_hash(live.captured.payload) not in live.backed_up_hashes:
        return Action.CONFLICT, SafeError("restore_changed_since")
    return Action.UPDATE, None


def _warnings(
    target: Target, live: LiveObject, current: Json | None, expected: Json
) -> Iterator[SafeError]:
    """Consequences of the write that may surprise; `current` is None for a new object."""
    if bodies.is_enforced(current or {}) and expected.get("state") != bodies.ENABLED:
        is_by_option = target.payload.get("state") == bodies.ENABLED
        yield SafeError("restore_stops_enforcing" if is_by_option else "restore_was_not_enforced")
    elif bodies.is_enforced(expected) and not bodies.has_exclusions(expected):
        yield SafeError("restore_no_way_back_in")
    yield from _unread_warnings(target, current)
    if current is None and live.distinct_count:
        yield SafeError("restore_beside_others", count=live.distinct_count)
    was_assigned = target.kind.is_assignable and bool(target.payload.get("assignments"))
    if current is None and was_assigned and target.options.assignments == Assignments.KEEP:
        yield SafeError("restore_comes_unassigned")


def _unread_warnings(target: Target, current: Json | None) -> Iterator[SafeError]:
    """The parts of the object that its backup does not contain."""
    if parts := ", ".join(target.kind.unread(target.payload)):
        code = "restore_comes_without" if current is None else "restore_leaves_unread"
        yield SafeError(code, parts=parts)


def _lacking_warnings(target: Target) -> Iterator[SafeError]:
    """The values that Graph does not return, so that the object was compared without them."""
    if parts := target.kind.lacking(target.payload) if target.kind.lacking else []:
        yield SafeError("restore_matches_without", parts=" and ".join(parts))


def digest(items: Iterable[RestoreItem], options: Options) -> str:
    """One value for a whole preview; another preview with the same result has the same digest."""
    preview = {
        "assignments": str(options.assignments),
        "access_state": str(options.access_state),
        "items": sorted((item.summary() for item in items), key=canonical_json),
    }
    return hashlib.sha256(canonical_json(preview)).hexdigest()


def decision_digest(preview_digest: str, items: Iterable[RestoreItem]) -> str:
    """One value for a preview and all decisions about it: what a person confirms."""
    decisions = sorted(f"{item.pk}={item.decision}" for item in items)
    return hashlib.sha256(canonical_json([preview_digest, decisions])).hexdigest()


def _changes(kind: PolicyKind, before: Json, after: Json) -> list[dict[str, str]]:
    """The differences as they are stored and shown: redacted, shortened and limited in number.

    The last one states how many are left out.
    """
    changes = shown_changes(kind, before, after, _redacted)
    columns = [_as_json(change) for change in changes[:MAX_CHANGES]]
    if left_out := len(changes) - len(columns):
        columns.append(_as_json(FieldChange(f"{left_out} more differences", Difference.HIDDEN)))
    return columns


def _redacted(state: Json) -> Json:
    safe = sanitize_payload(state)
    return safe if isinstance(safe, dict) else {}


def _as_json(change: FieldChange) -> dict[str, str]:
    return {
        "path": change.path,
        "difference": str(change.difference),
        "before": change.before[:MAX_VALUE_LENGTH],
        "after": change.after[:MAX_VALUE_LENGTH],
    }


def as_columns(plan: Plan) -> Mapping[str, Any]:
    """The columns of an item that a plan fills."""
    reason = plan.reason
    return {
        "action": plan.action,
        "reason_code": reason.code if reason else "",
        "message": reason.message if reason else "",
        "next_step": reason.next_step if reason else "",
        "warning": "\n".join(f"{each.message} {each.next_step}" for each in plan.warnings),
        "changes": plan.changes,
        "missing": plan.missing[:MAX_MISSING],
        "target_id": plan.target_id,
        "live_hash": plan.live_hash,
        "expected_hash": plan.expected_hash,
    }
