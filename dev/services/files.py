"""Lock files and logs of the embedded servers."""

import contextlib
import fcntl
import time
from pathlib import Path
from typing import IO

from dev.services.processes import ServiceError


def lock(path: Path, *, patience: float = 0) -> IO[str]:
    """Lock a file; the lock lasts until every process that has the file open closes it.

    Raises:
        ServiceError: the file is still locked by another process after `patience` seconds.
    """
    handle = path.open("a")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                handle.close()
                raise ServiceError(f"{path.parent} is in use by another process.") from None
            time.sleep(0.05)
        else:
            return handle


def tail(log: Path, characters: int = 800) -> str:
    """Return the end of a log file, for an error message."""
    with contextlib.suppress(FileNotFoundError):
        return f"Its log ends:\n{log.read_text(errors='replace')[-characters:]}"
    return "It wrote no log."
