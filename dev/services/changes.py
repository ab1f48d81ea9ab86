"""Detects code changes for `RELOAD=1 make run`."""

import threading
from pathlib import Path

import watchfiles

SUFFIXES = (".py", ".html")


class CodeChanges:
    """Watches the source folders in the background until it is closed."""

    def __init__(self, root: Path) -> None:
        self.folders = sorted(
            folder
            for folder in root.iterdir()
            if folder.is_dir() and not folder.name.startswith(".") and folder.name != "staticfiles"
        )
        self._changed = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def take(self) -> bool:
        """Return whether code has changed since the last call."""
        has_changed = self._changed.is_set()
        self._changed.clear()
        return has_changed

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _watch(self) -> None:
        watcher = watchfiles.watch(
            *self.folders,
            watch_filter=lambda _change, path: path.endswith(SUFFIXES),
            stop_event=self._closed,
            raise_interrupt=False,
        )
        for _changes in watcher:
            self._changed.set()
