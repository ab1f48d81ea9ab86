"""The state of `make run` in `.dev/`: values kept between starts, and the URLs of its servers."""

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
    """The folder of one checkout's development servers; delete it to start from scratch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values_file = folder / "kept.json"
        self.services_file = folder / "services.env"
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Lock the folder for the life of this process.

        Raises:
            ServiceError: another `make run` has locked it.
        """
        make_private(self.folder)
        try:
            self._lock = lock(self.folder / "lock")
        except ServiceError:
            raise ServiceError("`make run` is already running in this checkout.") from None

    def release(self) -> None:
        """Unlock the folder."""
        if self._lock:
            self._lock.close()

    def secret_key(self) -> str:
        """Return SECRET_KEY; it is kept so that sessions survive a restart."""
        return self.get_or_create("secret_key", new_secret_key)

    def credential_keys(self) -> str:
        """Return CREDENTIAL_KEYS; they are kept so that stored credentials stay readable."""
        return self.get_or_create("credential_keys", new_credential_keys)

    def graph_port(self) -> int:
        """Return the port of the Graph sandbox; it is kept so that its URL stays valid."""
        return int(self.get_or_create("graph_port", lambda: str(free_port())))

    def get_or_create(self, name: str, create: Callable[[], str]) -> str:
        """Return a kept value; the first call creates it."""
        values: dict[str, str] = {}
        if self.values_file.exists():
            values = json.loads(self.values_file.read_text())
        if name not in values:
            values[name] = create()
            write_private(self.values_file, json.dumps(values, indent=2) + "\n")
        return values[name]

    def publish(self, services: Mapping[str, str]) -> None:
        """Write the URLs of the servers for `manage.py` in another terminal."""
        write_private(self.services_file, "".join(f"{k}={v}\n" for k, v in services.items()))

    def withdraw(self) -> None:
        """Remove the URLs of the servers."""
        self.services_file.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file atomically; only its owner can read it."""
    unfinished = path.with_name(path.name + ".unfinished")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    unfinished.replace(path)
