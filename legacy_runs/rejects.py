"""Rejected rows, in files that can be corrected and imported again."""

from __future__ import annotations

import csv
import datetime as dt
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from legacy_runs.columns import COLUMNS, IDENTIFIERS, identifier
from legacy_runs.importing import Reject
from redaction.json import sanitize_json
from redaction.text import sanitize_text
from web.csv_cells import safe_cell

#: Longer values cannot be imported in any case; cut to this length, they remain too long.
MAX_CELL = 20_000
REJECT_COLUMNS = ("line", "reason")


class RejectFolder:
    """A folder with one CSV file for each kind that has rejected rows.

    A file has the columns of the import, redacted, then the line number in the source and the
    reason, which an import ignores.

    Raises:
        OSError: the folder cannot be created, or is not empty; no file is overwritten.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"{folder.name} is not empty")
        self._folder = folder
        self._files = ExitStack()
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def __call__(self, reject: Reject) -> None:
        """Write a rejected row to the file of its kind."""
        kind = reject.kind
        if kind not in self._writers:
            self._writers[kind] = self._open_file(kind)
        cells = [_cell(column.name, reject.raw.get(column.name)) for column in COLUMNS[kind]]
        self._writers[kind].writerow([*cells, reject.line, reject.reason])

    def _open_file(self, kind: str) -> Any:
        path = self._folder / f"{kind}.csv"
        file = self._files.enter_context(path.open("x", encoding="utf-8", newline=""))
        writer = csv.writer(file)
        writer.writerow([*(column.name for column in COLUMNS[kind]), *REJECT_COLUMNS])
        return writer


def _cell(name: str, value: Any) -> object:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if name in IDENTIFIERS:
        return safe_cell(identifier(value))
    if not isinstance(value, str):
        value = json.dumps(value)
    return safe_cell(_redacted(value))


def _redacted(text: str) -> str:
    """Redact a text; JSON stays JSON unless it is too large."""
    if text.lstrip().startswith(("{", "[")) and len(text) <= MAX_CELL:
        try:
            return json.dumps(sanitize_json(json.loads(text)))
        except (ValueError, RecursionError):
            pass
    return sanitize_text(text, max_length=MAX_CELL, keep_newlines=True)
