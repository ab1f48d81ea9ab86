"""Archive of policies: a folder for each kind, a file for each policy, and a manifest. Pure."""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Self, cast

from redaction import exact_json

MAX_NAME = 80
#: A fixed time stamp, so that the same content always gives the same bytes.
_MODIFIED = (1980, 1, 1, 0, 0, 0)
#: Names that Windows reserves, with any extension.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^\w .()+,=@-]", re.ASCII)


class ArchiveTooLarge(Exception):
    """The archive would be larger than allowed."""


class _Stream:
    """What a ZIP file is written to; it can't be read or rewound, so its bytes can leave at once."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.size = 0

    def write(self, chunk: bytes) -> int:
        self._chunks.append(bytes(chunk))
        self.size += len(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Do nothing: `take` returns every byte."""

    def take(self) -> bytes:
        """Return the bytes since the last call."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


@dataclass
class Archive:
    """A ZIP file of at most `max_bytes`, if given; use it in a `with` block.

    Its bytes are kept until `take` or `close` returns them.
    """

    max_bytes: int | None = None
    _buffer: _Stream = field(default_factory=_Stream)
    _files: list[dict[str, Any]] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._buffer), "w", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def count(self) -> int:
        """The number of policies in the archive."""
        return len(self._files)

    def add(
        self, *, kind: str, name: str, graph_id: str, payload: dict[str, Any], missing: list[str]
    ) -> None:
        """Add a policy.

        Raises:
            ArchiveTooLarge: the policy does not fit.
        """
        body = pretty_json(payload)
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

    def take(self) -> bytes:
        """Return what was written since the last call."""
        return self._buffer.take()

    def close(self, header: dict[str, Any]) -> bytes:
        """Add the manifest, `header` and the list of policies; return the rest of the archive.

        Raises:
            ArchiveTooLarge: the manifest does not fit.
        """
        self._write("manifest.json", pretty_json({**header, "policies": self._files}))
        self._zip.close()
        self._check_size()
        return self.take()

    def _write(self, path: str, body: bytes) -> None:
        entry = zipfile.ZipInfo(path, _MODIFIED)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        self._zip.writestr(entry, body)
        self._check_size()

    def _check_size(self) -> None:
        if self.max_bytes is not None and self._buffer.size > self.max_bytes:
            raise ArchiveTooLarge

    def _path(self, kind: str, name: str, graph_id: str) -> str:
        """Choose a unique path that every operating system can unpack."""
        short_hash = hashlib.sha256(graph_id.encode("utf-8", "replace")).hexdigest()[:8]
        stem = f"{safe_name(kind)}/{safe_name(name)}"
        path = next(path for path in _paths(stem, short_hash) if path.lower() not in self._names)
        self._names.add(path.lower())
        return path


def _paths(stem: str, short_hash: str) -> Iterator[str]:
    """Generate candidate paths, the simplest first."""
    yield f"{stem}.json"
    yield f"{stem} {short_hash}.json"
    for number in itertools.count(2):
        yield f"{stem} {short_hash} {number}.json"


def safe_name(text: str) -> str:
    """Make a file name from any text: it cannot leave its folder and is valid on every system."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = _UNSAFE.sub("_", plain).strip(" .")[:MAX_NAME].strip(" .")
    if not name or _RESERVED.match(name):
        name = f"_{name}"
    return name


def pretty_json(value: Any) -> bytes:
    """Return JSON for people to read and to compare: indented, with sorted keys."""
    text = exact_json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace") + b"\n"
