"""A PgBouncer in transaction mode in front of an embedded PostgreSQL; its program is Debian's."""

import shutil
import subprocess
from pathlib import Path

import psycopg

from dev.services.accounts import Account, public_folder, server_account
from dev.services.postgres import SUPERUSER
from dev.services.probes import wait_until_ready
from dev.services.processes import ServiceError, spawn, stop
from dev.services.sockets import make_private, socket_folder

#: `pgbouncer` is in /usr/sbin, which is not on every PATH.
_PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
PORT = 6432

_CONFIGURATION = """
[databases]
* = host={server} port=5432

[pgbouncer]
pool_mode = transaction
default_pool_size = {connections}
max_db_connections = {connections}
max_client_conn = {clients}
unix_socket_dir = {sockets}
unix_socket_mode = 0777
listen_port = {port}
listen_addr =
auth_type = trust
auth_file = {users}
auth_user = {superuser}
admin_users = {superuser}
ignore_startup_parameters = {ignored_parameters}
query_wait_timeout = 60
server_login_retry = 1
logfile = {log}
pidfile =
"""


def is_installed() -> bool:
    """Whether this machine has PgBouncer."""
    return _PROGRAM is not None


class Pgbouncer:
    """One PgBouncer on a Unix socket; it ends with the process that started it."""

    def __init__(
        self,
        folder: Path,
        server: str,
        *,
        connections: int = 4,
        clients: int = 40,
        ignore_options: bool = False,
    ) -> None:
        """`server` is the socket folder of PostgreSQL."""
        self.server = server
        self.account = server_account()
        self.folder = folder.absolute()
        if self.account is Account.UNPRIVILEGED:
            self.folder = public_folder("pgbouncer", self.folder) / "pooler"
        self.sockets = socket_folder(self.folder)
        self.log = self.folder / "pgbouncer.log"
        self.connections = connections
        self.clients = clients
        self.ignored_parameters = "extra_float_digits" + (", options" if ignore_options else "")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, patience: float = 60) -> "Pgbouncer":
        """Start the pooler and wait until it responds.

        Raises:
            ServiceError: PgBouncer is not installed, or it failed; with its log.
        """
        if _PROGRAM is None:
            raise ServiceError("No PgBouncer: install it (Debian: apt-get install pgbouncer).")
        for folder in (self.folder, self.sockets):
            make_private(folder, user=self.account.user)
        users, configuration = self.folder / "users.txt", self.folder / "pgbouncer.ini"
        users.write_text(f'"{SUPERUSER}" ""\n')
        configuration.write_text(
            _CONFIGURATION.format(
                server=self.server,
                connections=self.connections,
                clients=self.clients,
                sockets=self.sockets,
                port=PORT,
                users=users,
                superuser=SUPERUSER,
                log=self.log,
                ignored_parameters=self.ignored_parameters,
            )
        )
        with (self.folder / "output.log").open("ab") as output:
            self.process = spawn(
                [_PROGRAM, "-q", configuration],
                output=output.fileno(),
                cwd="/",
                account=self.account,
            )
        self._wait_until_ready(patience)
        return self

    def url(self, database: str) -> str:
        """Return the URL of a database through the pooler."""
        return f"postgresql://{SUPERUSER}@:{PORT}/{database}?host={self.sockets}"

    def stop(self, *, grace: float = 5) -> None:
        """Stop at once; its clients are disconnected."""
        if self.process:
            stop(self.process, grace=grace)

    def remove(self) -> None:
        """Delete the files of the stopped pooler."""
        is_public = self.account is Account.UNPRIVILEGED
        shutil.rmtree(self.folder.parent if is_public else self.folder, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _wait_until_ready(self, patience: float) -> None:
        wait_until_ready(
            "PgBouncer",
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
