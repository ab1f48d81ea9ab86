"""What is secret in objects of Microsoft Graph, by their schema.

`data/graph_secrets.json` lists it with its sources: properties by type, names that are secret in
every object, and the settings (catalog definitions, OMA-URIs) whose value is secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from pathlib import Path

_DATA = json.loads((Path(__file__).parent / "data" / "graph_secrets.json").read_text())
VERSION: str = _DATA["version"]
SOURCES: list[dict[str, str]] = _DATA["sources"]
_PREFIX = "#microsoft.graph."
_PROPERTIES = {
    name: frozenset(property_name.lower() for property_name in names)
    for name, names in _DATA["properties"].items()
}
_NAMES = frozenset(name.lower() for name in _DATA["names"])


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)), re.IGNORECASE)


_DEFINITIONS = _any_of(_DATA["definitions"])
_OMA_URIS = _any_of(_DATA["oma_uris"])


def secret_properties(type_name: object) -> frozenset[str]:
    """Return the names, in lower case, of the secret properties of an `@odata.type`."""
    if not isinstance(type_name, str):
        return frozenset()
    return _PROPERTIES.get(type_name.removeprefix(_PREFIX), frozenset())


def is_secret_property(name: str) -> bool:
    """Return whether a property, in lower case, is secret in objects of every type."""
    return name in _NAMES


@lru_cache(maxsize=4096)
def is_secret_setting(name: str) -> bool:
    """Return whether the value of a setting is secret, by its definition id or OMA-URI."""
    pattern = _OMA_URIS if "/" in name else _DEFINITIONS
    return pattern.match(name[-400:]) is not None
