"""What of a policy is its content: pure functions from JSON to JSON.

`clean` takes away how Graph wrapped the answer; what is left is kept in backups. `content` also
takes away what changes by itself (ids, times, versions) and settles the order of what has none;
two captures of an unchanged policy have the same content, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

#: Left out at every depth: Graph sets these, whoever writes the policy.
VOLATILE = frozenset(
    {"id", "createdDateTime", "lastModifiedDateTime", "modifiedDateTime", "deletedDateTime"}
)
#: Left out of the policy itself only; deeper down they may mean something.
VOLATILE_AT_TOP = frozenset({"version", "supportsScopeTags", "isAssigned"})
#: Below these an id is a choice, not an identity: kept, and nothing else is.
REFERENCES = frozenset({"authenticationStrength"})
#: Lists of a policy that have no order.
UNORDERED = frozenset(
    {
        *("assignments", "settings", "roleScopeTagIds", "apps"),
        *("omaSettings", "ipRanges", "scheduledActionsForRule"),
    }
)
#: The same, deeper down.
UNORDERED_WITHIN = frozenset({"scheduledActionConfigurations"})


@dataclass(frozen=True)
class Noise:
    """What one kind has of it besides: `strip` is left out at the top, `strip_within` deeper.

    `unordered_ids`: every list of plain values is a set, as in conditional access.
    """

    strip: Collection[str] = ()
    strip_within: Collection[str] = ()
    unordered_ids: bool = False


NO_NOISE = Noise()


def clean(value: Any) -> Any:
    """Without Graph's annotations: every `…@odata.…` key but `@odata.type`, every action link."""
    if isinstance(value, dict):
        return {key: clean(entry) for key, entry in value.items() if not is_annotation(key)}
    if isinstance(value, list):
        return [clean(entry) for entry in value]
    return value


def is_annotation(key: str) -> bool:
    """Whether a key describes the answer rather than the object."""
    return ("@odata." in key and key != "@odata.type") or key.startswith("#microsoft.graph.")


def content(payload: dict[str, Any], noise: Noise = NO_NOISE) -> dict[str, Any]:
    """The part of a captured policy that somebody decided, in a stable order."""
    left = {*VOLATILE_AT_TOP, *noise.strip}
    top = {key: value for key, value in clean(payload).items() if key not in left}
    return {
        key: _settle(key, _decided(value, noise))
        for key, value in sorted(top.items())
        if key not in VOLATILE
    }


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces: equal documents have equal bytes."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def content_hash(payload: dict[str, Any], noise: Noise = NO_NOISE) -> str:
    """SHA-256 of the content, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content(payload, noise))).hexdigest()


def _decided(value: Any, noise: Noise) -> Any:
    if isinstance(value, dict):
        return {key: _entry(key, value[key], noise) for key in sorted(value) if _kept(key, noise)}
    if isinstance(value, list):
        entries = [_decided(entry, noise) for entry in value]
        return _sorted(entries) if noise.unordered_ids and _all_plain(entries) else entries
    return value


def _entry(key: str, value: Any, noise: Noise) -> Any:
    if key in REFERENCES and isinstance(value, dict):
        return {"id": value.get("id")}
    decided = _decided(value, noise)
    return _sorted(decided) if key in UNORDERED_WITHIN and isinstance(decided, list) else decided


def _kept(key: str, noise: Noise) -> bool:
    return key not in VOLATILE and key not in noise.strip_within


def _settle(key: str, value: Any) -> Any:
    return _sorted(value) if key in UNORDERED and isinstance(value, list) else value


def _sorted(entries: list[Any]) -> list[Any]:
    return sorted(entries, key=canonical_json)


def _all_plain(entries: list[Any]) -> bool:
    return not any(isinstance(entry, dict | list) for entry in entries)
