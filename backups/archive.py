"""An archive of policies: a folder for each kind, a file for each policy, and a manifest. Pure."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

MAX_NAME = 80
#: The same bytes for the same content, whenever it is made.
_AT = (1980, 1, 1, 0, 0, 0)
#: Names that Windows keeps for itself, with any ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^\w .()+,=@-]", re.ASCII)


class ArchiveTooLarge(Exception):
    """The archive would be larger than allowed."""


@dataclass
class Archive:
    """Collects files and refuses to grow beyond `max_bytes`; use it in a `with` block."""

    max_bytes: int
    _buffer: io.BytesIO = field(default_factory=io.BytesIO)
    _files: list[dict[str, Any]] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._zip = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def count(self) -> int:
        """How many policies are in it."""
        return len(self._files)

    def add(
        self, *, kind: str, name: str, graph_id: str, payload: dict[str, Any], missing: list[str]
    ) -> None:
        """Put a policy into it.

        Raises:
            ArchiveTooLarge: it does not fit.
        """
        body = _pretty(payload)
        path = self._path(kind, name, graph_id)
        self._write(path, body)
        self._files.append(
            {
                "path": path,
                "kind": kind,
                "name": name,
                "graph_id": graph_id,
                "sha256": hashlib.sha256(body).hexdigest(),
                "complete": not missing,
                "missing": missing,
            }
        )

    def close(self, about: dict[str, Any]) -> bytes:
        """The archive, with a manifest of what is in it.

        Raises:
            ArchiveTooLarge: the manifest does not fit any more.
        """
        self._write("manifest.json", _pretty({**about, "policies": self._files}))
        self._zip.close()
        if self._buffer.tell() > self.max_bytes:
            raise ArchiveTooLarge
        return self._buffer.getvalue()

    def _write(self, path: str, body: bytes) -> None:
        entry = zipfile.ZipInfo(path, _AT)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        self._zip.writestr(entry, body)
        if self._buffer.tell() > self.max_bytes:
            raise ArchiveTooLarge

    def _path(self, kind: str, name: str, graph_id: str) -> str:
        """A path that every system can unpack, and that no other policy has."""
        short = hashlib.sha256(graph_id.encode("utf-8", "replace")).hexdigest()[:8]
        stem = f"{safe_name(kind)}/{safe_name(name)}"
        path = next(p for p in _paths(stem, short) if p.lower() not in self._names)
        self._names.add(path.lower())
        return path


def _paths(stem: str, short: str) -> Iterator[str]:
    """Paths to try, the plainest first; one of them is free."""
    yield f"{stem}.json"
    yield f"{stem} {short}.json"
    for number in itertools.count(2):
        yield f"{stem} {short} {number}.json"


def safe_name(text: str) -> str:
    """A file name from any text: no way out of its folder, nothing that a system would refuse."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = _UNSAFE.sub("_", plain).strip(" .")[:MAX_NAME].strip(" .")
    if not name or _RESERVED.match(name):
        name = f"_{name}"
    return name


def _pretty(value: Any) -> bytes:
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace") + b"\n"
