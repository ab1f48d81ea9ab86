"""Follows changes of the code for `RELOAD=1 make run`."""

import threading
from pathlib import Path

import watchfiles

SUFFIXES = (".py", ".html")


class CodeChanges:
    """Looks at the source folders in the background until it is closed."""

    def __init__(self, root: Path) -> None:
        self.folders = sorted(
            folder
            for folder in root.iterdir()
            if folder.is_dir() and not folder.name.startswith(".") and folder.name != "staticfiles"
        )
        self._seen = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()

    def taken(self) -> bool:
        """Whether code changed since the last time this was asked."""
        changed = self._seen.is_set()
        self._seen.clear()
        return changed

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()

    def _follow(self) -> None:
        watcher = watchfiles.watch(
            *self.folders,
            watch_filter=lambda _change, path: path.endswith(SUFFIXES),
            stop_event=self._closed,
            raise_interrupt=False,
        )
        for _changes in watcher:
            self._seen.set()
