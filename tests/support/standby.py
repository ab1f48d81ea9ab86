"""A PostgreSQL that is a standby with the data of the tests, until it is promoted."""

from __future__ import annotations

from pathlib import Path

import psycopg

from dev.services.postgres import SUPERUSER, Postgres


class Standby(Postgres):
    """A hot standby with a copy of the server of the tests; it answers reads.

    It follows no server. One that followed the server of the tests would answer only after a moment
    in which no transaction there has many savepoints, and other tests may leave no such moment.
    """

    def __init__(self, folder: Path, *, source: str) -> None:
        """`source` is the folder of sockets of the server to copy."""
        super().__init__(folder, durable=False)
        self._source = source

    def start(self, *, patience: float = 120) -> Standby:
        """Copy the server, end what was running there, and start as a standby."""
        super().start(patience=patience)
        self.stop()
        (self.data / "standby.signal").touch()
        super().start(patience=patience)
        return self

    def promote(self) -> None:
        """Let it accept writes; return when it does."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def _init_cluster(self) -> None:
        if self.data.exists():
            return
        self._run_program(
            *("pg_basebackup", "--host", self._source, "--no-password"),
            *("--username", SUPERUSER, "--pgdata", self.data),
            *("--checkpoint=fast", "--no-sync", "--no-manifest"),
        )
