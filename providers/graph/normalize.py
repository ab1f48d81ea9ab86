"""Reduces a policy to its content, with pure functions from JSON to JSON.

`clean` removes the annotations of Graph; backups store its result. `content` also removes values
that Graph changes (ids, times, versions) and sorts lists without an order. Two captures of an
unchanged policy have the same content, byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from redaction import exact_json

#: Removed at every depth: Graph sets these properties itself.
VOLATILE = frozenset(
    {"id", "createdDateTime", "lastModifiedDateTime", "modifiedDateTime", "deletedDateTime"}
)
#: What Graph returns in place of an encrypted value.
MASKED_VALUE = "****"
#: What a backup has in place of an encrypted value that was read; see `providers.configuration_secrets`.
REFERENCE_PREFIX = "encrypted-value:"
_REFERENCE = re.compile(rf"{REFERENCE_PREFIX}[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
#: Removed from the policy itself only; nested properties of these names can be content.
VOLATILE_AT_TOP = frozenset({"version", "supportsScopeTags", "isAssigned"})
#: References: their id is content, their other properties are not.
REFERENCES = frozenset({"authenticationStrength"})
#: Properties of a policy that are lists without an order.
UNORDERED = frozenset(
    {
        *("assignments", "settings", "roleScopeTagIds", "apps"),
        *("omaSettings", "ipRanges", "scheduledActionsForRule"),
    }
)
#: Nested properties that are lists without an order: each child of a settings group has another
#: definition, and Graph returns them in any order.
UNORDERED_WITHIN = frozenset({"scheduledActionConfigurations", "children"})


@dataclass(frozen=True)
class Noise:
    """Further properties of one kind to remove: `strip` from the policy, `strip_within` when nested.

    `unordered_ids`: every list of plain values is without an order, as in conditional access.
    `unordered_within` names further nested lists without an order.
    `keeps_ids_within`: nested ids are content, such as the id of a permission.
    """

    strip: Collection[str] = ()
    strip_within: Collection[str] = ()
    unordered_ids: bool = False
    unordered_within: Collection[str] = ()
    keeps_ids_within: bool = False


NO_NOISE = Noise()


def clean(value: Any) -> Any:
    """Remove Graph's annotations: every `…@odata.…` key except `@odata.type`, every action link."""
    if isinstance(value, dict):
        return {key: clean(entry) for key, entry in value.items() if not is_annotation(key)}
    if isinstance(value, list):
        return [clean(entry) for entry in value]
    return value


def is_sealed(setting: dict[str, Any]) -> bool:
    """Return whether a setting has a reference to its value, which was read and stored encrypted.

    Graph returns no other value of an encrypted setting than the mask.
    """
    value = setting.get("value")
    is_reference = isinstance(value, str) and bool(_REFERENCE.fullmatch(value))
    return is_reference and setting.get("isEncrypted") is True


def is_masked(setting: dict[str, Any]) -> bool:
    """Return whether Graph masked the value of an OMA-URI setting, and nothing else is known."""
    has_mask = setting.get("isEncrypted") is True or setting.get("value") == MASKED_VALUE
    return has_mask and not is_sealed(setting)


def without_nulls(value: Any) -> Any:
    """Graph returns null for a property that is not set, or leaves it out."""
    if isinstance(value, dict):
        return {name: without_nulls(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [without_nulls(entry) for entry in value]
    return value


def is_annotation(key: str) -> bool:
    """Return whether a key describes the response and not the object."""
    return ("@odata." in key and key != "@odata.type") or key.startswith("#microsoft.graph.")


def content(payload: dict[str, Any], noise: Noise = NO_NOISE) -> dict[str, Any]:
    """Return the part of a captured policy that an administrator decided, in a stable order."""
    left_out = {*VOLATILE, *VOLATILE_AT_TOP, *noise.strip}
    result = {}
    for key, value in sorted(clean(payload).items()):
        if key not in left_out:
            result[key] = _without_noise(value, noise)
            if key in UNORDERED and isinstance(result[key], list):
                result[key] = _sorted(result[key])
    return result


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces: equal documents have equal bytes.

    Numbers are equal if their value is, as 1.5 and 1.50. An integer is no number with a point:
    Graph writes 1 for a property of integers and 1.0 for another, and not now one and now the other.
    """
    text = exact_json.dumps(
        value,
        write_number=exact_json.canonical_number,
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return text.encode("utf-8", "surrogatepass")


def hash_of(value: Any) -> str:
    """Return the SHA-256 of a value as 64 hexadecimal digits; equal JSON has equal hashes."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _without_noise(value: Any, noise: Noise) -> Any:
    if isinstance(value, dict):
        left_out = {*VOLATILE, *noise.strip_within}
        if noise.keeps_ids_within:
            left_out.remove("id")
        return {key: _entry(key, value[key], noise) for key in sorted(value) if key not in left_out}
    if isinstance(value, list):
        entries = [_without_noise(entry, noise) for entry in value]
        has_plain_values = not any(isinstance(entry, dict | list) for entry in entries)
        if noise.unordered_ids and has_plain_values:
            return _sorted(entries)
        return entries
    return value


def _entry(key: str, value: Any, noise: Noise) -> Any:
    if key in REFERENCES and isinstance(value, dict):
        return {"id": value.get("id")}
    part = _without_noise(value, noise)
    if key in {*UNORDERED_WITHIN, *noise.unordered_within} and isinstance(part, list):
        return _sorted(part)
    return part


def _sorted(entries: list[Any]) -> list[Any]:
    return sorted(entries, key=canonical_json)
