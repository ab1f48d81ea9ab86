"""Writes the table of Graph's types from Microsoft's published models of the beta version.

Microsoft generates the package msgraph-beta-sdk from the metadata of Graph:

    pip download --no-deps --dest /tmp msgraph-beta-sdk==1.66.0
    python -m dev.graph_metadata /tmp/msgraph_beta_sdk-1.66.0-py3-none-any.whl

The table has the types of the kinds that Runledger reads, each with its base type, its navigation
properties, and the properties that Graph accepts and does not return.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from providers.graph.kinds import KINDS
from providers.graph.permissions import without_version

TABLE = Path(__file__).resolve().parent.parent / "providers" / "graph" / "data" / "types.json"
_GENERATED = "msgraph_beta/generated/"
_MODELS = f"{_GENERATED}models/"
_CLASS = re.compile(r"^class (\w+)\((\w+)", re.MULTILINE)
_GETS = re.compile(r"async def get\(.*-> Optional\[(\w+)\]")
_FIELD = re.compile(
    r'^ +"([^"]+)": lambda n : setattr\(self, \'(\w+)\', n\.get_(\w+)\((\w*)\)\)', re.MULTILINE
)
#: How Microsoft's descriptions say that a value is not returned.
_NOT_RETURNED = re.compile(
    r"write-only|only provides a placeholder|can never be read back", re.IGNORECASE
)
#: Names of values that Graph does not return, or masks, although their descriptions do not say so.
_SECRET = re.compile(
    r"(preSharedKey|sharedSecret|productKey|secretText|password|passphrase)$", re.IGNORECASE
)
_ONE, _SEVERAL = "object_value", "collection_of_object_values"
Json = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A class of the package: its base class and its properties with their descriptions."""

    name: str
    base: str
    text: str = field(repr=False)

    @cached_property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """Name in Graph, name in Python, how it is read, and the class of its value."""
        return [match.groups() for match in _FIELD.finditer(self.text)]  # type: ignore[misc]

    def description(self, attribute: str) -> str:
        """Microsoft's description of a property."""
        match = re.search(rf"    # ([^\n]*)\n    {attribute}: ", self.text)
        return match[1] if match else ""


class Models:
    """The models of the package; those of sub-namespaces, which no kind uses, are left out."""

    def __init__(self, wheel: zipfile.ZipFile) -> None:
        self._wheel = wheel
        self._names = wheel.namelist()
        self._by_name: dict[str, Model] = {}
        for name in self._names:
            if name.startswith(_MODELS) and name.count("/") == _MODELS.count("/"):
                text = wheel.read(name).decode()
                if match := _CLASS.search(text):
                    self._by_name[match[1]] = Model(match[1], match[2], text)

    def root_of(self, path: str) -> str:
        """The class of the objects under a path of Graph; empty if the package has none."""
        folders = "/".join(_snake_case(part) for part in without_version(path).split("/") if part)
        prefix = f"{_GENERATED}{folders}/"
        for name in self._names:
            if name.startswith(prefix) and name.removeprefix(prefix).endswith("_builder.py"):
                if "/" in name.removeprefix(prefix):
                    continue
                match = _GETS.search(self._wheel.read(name).decode())
                return match[1].removesuffix("CollectionResponse") if match else ""
        return ""

    def related(self, root: str) -> list[Model]:
        """A class, those that it inherits from, and every class below it."""
        inherited = [self._by_name[each] for each in self._ancestors(root) if each in self._by_name]
        below = [each for each in self._by_name.values() if root in self._ancestors(each.name)]
        return [each for each in [*inherited, *below] if each.name != "Entity"]

    def _ancestors(self, name: str) -> list[str]:
        names = [name]
        while names[-1] in self._by_name:
            names.append(self._by_name[names[-1]].base)
        return names

    def _is_entity(self, name: str) -> bool:
        return "Entity" in self._ancestors(name)

    def facts(self, model: Model) -> Json:
        """What the table says about a class, without what it inherits."""
        names = {name for name, *_ in model.fields}
        navigation, write_only = {}, {}
        for name, attribute, how, value in model.fields:
            if how in (_ONE, _SEVERAL) and self._is_entity(value):
                navigation[f"{name}[]" if how == _SEVERAL else name] = type_name(value)
            description = model.description(attribute)
            is_text = how in ("str_value", "bytes_value")
            if is_text and (_SECRET.search(name) or _NOT_RETURNED.search(description)):
                flag = f"{name}IsSet" if f"{name}IsSet" in names else ""
                is_placeholder = bool(_NOT_RETURNED.search(description))
                write_only[name] = {"flag": flag, "is_placeholder": is_placeholder}
        facts: Json = {"base": type_name(model.base)}
        if navigation:
            facts["navigation"] = dict(sorted(navigation.items()))
        if write_only:
            facts["write_only"] = dict(sorted(write_only.items()))
        return facts


def type_name(class_name: str) -> str:
    """The name of a type in Graph: “WindowsWifiConfiguration” is “windowsWifiConfiguration”."""
    return class_name[:1].lower() + class_name[1:]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def build(wheel: Path) -> Json:
    """Return the table."""
    version = wheel.name.split("-")[1]
    with zipfile.ZipFile(wheel) as opened:
        models = Models(opened)
        roots = {
            key: root for key, kind in KINDS.items() if (root := models.root_of(kind.list_path))
        }
        types = {
            type_name(model.name): models.facts(model)
            for root in set(roots.values())
            for model in models.related(root)
        }
    return {
        "source": {"package": "msgraph-beta-sdk", "version": version},
        "kinds": {key: type_name(root) for key, root in sorted(roots.items())},
        "types": dict(sorted(types.items())),
    }


def render(table: Json) -> str:
    """Return the file: one type a line."""
    lines = [
        f'  "source": {json.dumps(table["source"])}',
        f'  "kinds": {json.dumps(table["kinds"])}',
    ]
    types = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in table["types"].items())
    return "{\n" + ",\n".join(lines) + ',\n  "types": {\n' + types + "\n  }\n}\n"


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(render(build(Path(sys.argv[1]))), encoding="utf-8")
