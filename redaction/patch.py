"""The difference between a JSON value and its redacted form, small enough to be stored beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Each entry: the keys and positions that lead to a value, and what replaces it.
Patch = list[list[Any]]


def patch_between(value: Any, redacted: Any) -> Patch:
    """Return the patch with which `apply_patch` makes `redacted` of `value`."""
    patch: Patch = []
    _collect(value, redacted, [], patch)
    return patch


def _collect(value: Any, redacted: Any, path: list[Any], patch: Patch) -> None:
    if isinstance(value, dict) and isinstance(redacted, dict) and list(value) == list(redacted):
        for key in value:
            _collect(value[key], redacted[key], [*path, key], patch)
    elif isinstance(value, list) and isinstance(redacted, list) and len(value) == len(redacted):
        for position, pair in enumerate(zip(value, redacted, strict=True)):
            _collect(*pair, [*path, position], patch)
    elif type(value) is not type(redacted) or value != redacted:
        patch.append([path, redacted])


def apply_patch(value: Any, patch: Sequence[Any]) -> Any:
    """Return the value with the replacements of the patch; the value itself stays.

    Raises:
        LookupError: the patch belongs to another value.
        TypeError: the same.
    """
    for path, replacement in patch:
        value = _replaced(value, path, replacement)
    return value


def _replaced(value: Any, path: Sequence[Any], replacement: Any) -> Any:
    if not path:
        return replacement
    if not isinstance(value, dict | list):
        raise TypeError("the patch leads into a value without entries")
    copy: Any = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], replacement)
    return copy
