"""What `make run` keeps between two runs, and what it tells others while it runs: `.dev/`."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from dev.services.files import lock
from dev.services.keys import new_credential_keys, new_secret_key
from dev.services.processes import ServiceError, free_port
from dev.services.sockets import make_private


class StateFolder:
    """The folder of one checkout's development servers; delete it to start from nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "kept.json"
        self.services = folder / "services.env"
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Make the folder ours for as long as we live.

        Raises:
            ServiceError: another `make run` has it.
        """
        make_private(self.folder)
        try:
            self._lock = lock(self.folder / "lock")
        except ServiceError:
            raise ServiceError("`make run` is already running in this checkout.") from None

    def release(self) -> None:
        """Let the next one have it."""
        if self._lock:
            self._lock.close()

    def secret_key(self) -> str:
        """Django's SECRET_KEY: sessions survive a restart."""
        return self.keep("secret_key", new_secret_key)

    def credential_keys(self) -> str:
        """CREDENTIAL_KEYS: stored credentials can be read after a restart."""
        return self.keep("credential_keys", new_credential_keys)

    def graph_port(self) -> int:
        """The Graph sandbox's port: connections saved in the database stay valid."""
        return int(self.keep("graph_port", lambda: str(free_port())))

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """The value of that name, made the first time."""
        kept: dict[str, str] = json.loads(self.kept.read_text()) if self.kept.exists() else {}
        if name not in kept:
            kept[name] = make()
            write_private(self.kept, json.dumps(kept, indent=2) + "\n")
        return kept[name]

    def publish(self, services: Mapping[str, str]) -> None:
        """Let `manage.py` in another terminal find the servers."""
        write_private(self.services, "".join(f"{k}={v}\n" for k, v in services.items()))

    def withdraw(self) -> None:
        """Say that the servers are gone."""
        self.services.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, all of it or nothing."""
    unfinished = path.with_name(path.name + ".unfinished")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    unfinished.replace(path)
