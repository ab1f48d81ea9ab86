"""Conversion of any Python value to JSON without secrets."""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from redaction.marks import MASK, TRUNCATED, UNREADABLE
from redaction.patterns import SENSITIVE_NAME
from redaction.text import WINDOW, sanitize_text

KEY_MAX_LENGTH = 200
INTEGER_MAX_BITS = 256

_SENSITIVE_NAME_AT_END = re.compile(rf"{SENSITIVE_NAME}\Z", re.IGNORECASE | re.VERBOSE)
_CONTAINERS = (Mapping, list, tuple, set, frozenset)
# Bytes reserved for the marker, so that it fits when the budget is spent.
_MARKER_SIZE = 32
_OVER_BUDGET = object()


def sanitize_json(value: object, *, max_depth: int = 32, max_bytes: int = 65536) -> Any:
    """Return the value as JSON without secrets, safe for a `jsonb` column and for a page.

    Texts and keys pass `sanitize_text`; a text under a sensitive key ("client_secret") is masked
    completely. Dates become UTC ISO texts, sets sorted lists, NaN and infinity null. Values deeper
    than `max_depth` or beyond `max_bytes` (as ASCII JSON) are replaced by "[truncated]". Never
    raises.
    """
    try:
        cleaned = _JsonSanitizer(max_depth, max_bytes - _MARKER_SIZE).sanitize(value)
    except Exception:  # noqa: BLE001 - any object may raise anything when it is read
        return UNREADABLE
    fits = cleaned is not _OVER_BUDGET and len(json.dumps(cleaned)) <= max_bytes
    return cleaned if fits else TRUNCATED


@dataclass
class _JsonSanitizer:
    """Walks a value until its byte budget is spent, and marks the place where it stopped once."""

    max_depth: int
    budget: int
    is_marked: bool = False

    def sanitize(self, value: object, depth: int = 0) -> Any:
        """Return the value as JSON, or `_OVER_BUDGET` if it exceeds the remaining budget."""
        if not isinstance(value, _CONTAINERS):
            return self._scalar(value)
        if depth >= self.max_depth:
            return TRUNCATED if self._spend(_cost(TRUNCATED)) else _OVER_BUDGET
        if not self._spend(4):
            return _OVER_BUDGET
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1)
        items = self._items(value, depth + 1)
        if isinstance(value, (set, frozenset)):
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return items

    def _scalar(self, value: object) -> Any:
        cleaned = _clean_scalar(value)
        cost = _cost(cleaned)
        if isinstance(value, (str, bytes)):
            # Sanitizing a long text takes time, even if most of it is cut.
            cost = max(cost, min(len(value), WINDOW) // 20)
        return cleaned if self._spend(cost) else _OVER_BUDGET

    def _items(self, values: Iterable[object], depth: int) -> list[Any]:
        cleaned: list[Any] = []
        for value in values:
            item = self.sanitize(value, depth)
            if item is not _OVER_BUDGET:
                cleaned.append(item)
            if self.budget < 0:
                return cleaned + self._marker()
        return cleaned

    def _mapping(self, mapping: Mapping[Any, object], depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for key, value in mapping.items():
            name = sanitize_text(str(_clean_scalar(key)), KEY_MAX_LENGTH)
            self._spend(_cost(name))
            item = self.sanitize(_mask_sensitive(str(key), value, mapping), depth)
            if item is not _OVER_BUDGET:
                cleaned[name] = item
            if self.budget < 0:
                return cleaned | dict.fromkeys(self._marker(), TRUNCATED)
        return cleaned

    def _spend(self, size: int) -> bool:
        self.budget -= size
        return self.budget >= 0

    def _marker(self) -> list[str]:
        if self.is_marked:
            return []
        self.is_marked = True
        return [TRUNCATED]


def _cost(value: str | float | bool | None) -> int:
    """Return the bytes of a scalar and of the separator after it."""
    text = encode_basestring_ascii(value) if isinstance(value, str) else json.dumps(value)
    return len(text) + 2


def _mask_sensitive(key: str, value: object, mapping: Mapping[Any, object]) -> object:
    """Return the value, masked if its key, or the "name" beside a "value", is sensitive."""
    names = [key]
    if key.lower() == "value":
        names += [str(mapping[name]) for name in ("name", "key") if name in mapping]
    if not any(_is_sensitive(name[-KEY_MAX_LENGTH:]) for name in names):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [MASK if _becomes_text(item) else item for item in value]
    return MASK if _becomes_text(value) else value


@lru_cache(maxsize=1024)
def _is_sensitive(name: str) -> bool:
    return _SENSITIVE_NAME_AT_END.search(name) is not None


def _becomes_text(value: object) -> bool:
    """Return whether the value becomes a JSON text; flags, numbers, containers and None do not."""
    return bool(value) and not isinstance(value, (*_CONTAINERS, int, float))


def _clean_scalar(value: object) -> str | int | float | bool | None:
    if isinstance(value, enum.Enum):
        return _clean_scalar(value.value)
    if isinstance(value, str):
        return sanitize_text(str(value), keep_newlines=True)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= INTEGER_MAX_BITS else TRUNCATED
    if value is None:
        return None
    return sanitize_text(_describe(value), keep_newlines=True)


def _describe(value: object) -> str:
    """Return a text for a type that JSON lacks; never the text of an exception."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[:WINDOW]).decode("utf-8", "replace")
    if isinstance(value, datetime):
        return _utc_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, BaseException):
        return type(value).__name__
    return str(value)


def _utc_text(value: datetime) -> str:
    """Return ISO text in UTC; a time without zone counts as UTC."""
    try:
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return value.isoformat()
