"""The rows that an import did not take, in files that can be corrected and imported again."""

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

#: What is longer could not be imported anyway; cut, it still is no valid value of a short column.
MAX_CELL = 20_000
WHY = ("line", "reason")


class RejectFolder:
    """A folder with a CSV file for each kind of which a row was rejected: the columns of the
    import, redacted, then the line it stood on and the reason, which an import does not read.

    Raises:
        OSError: the folder cannot be made, or there is something in it: nothing is overwritten.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"there is something in {folder.name} already")
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

    def __call__(self, one: Reject) -> None:
        """Write a row down."""
        if one.kind not in self._writers:
            self._writers[one.kind] = self._begin(one.kind)
        cells = [_cell(column.name, one.raw.get(column.name)) for column in COLUMNS[one.kind]]
        self._writers[one.kind].writerow([*cells, one.line, one.reason])

    def _begin(self, kind: str) -> Any:
        path = self._folder / f"{kind}.csv"
        file = self._files.enter_context(path.open("x", encoding="utf-8", newline=""))
        writer = csv.writer(file)
        writer.writerow([*(column.name for column in COLUMNS[kind]), *WHY])
        return writer


def _cell(name: str, value: Any) -> object:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if name in IDENTIFIERS:
        return safe_cell(identifier(value))
    return safe_cell(_redacted(value if isinstance(value, str) else json.dumps(value)))


def _redacted(text: str) -> str:
    """JSON stays JSON where it is not too large; any other text is redacted as one."""
    if text.lstrip().startswith(("{", "[")) and len(text) <= MAX_CELL:
        try:
            return json.dumps(sanitize_json(json.loads(text)))
        except (ValueError, RecursionError):
            pass
    return sanitize_text(text, max_length=MAX_CELL, keep_newlines=True)
