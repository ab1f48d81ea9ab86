"""A PostgreSQL that follows the server of the tests, until it is promoted."""

from __future__ import annotations

from pathlib import Path

import psycopg

from dev.services.postgres import SUPERUSER, Postgres


class Standby(Postgres):
    """A hot standby of the server of the tests; it answers while it follows."""

    def __init__(self, folder: Path, *, primary: str) -> None:
        """`primary` is the folder of sockets of the other server."""
        with psycopg.connect(host=primary, user=SUPERUSER, dbname="postgres") as connection:
            limit = connection.execute("SHOW max_connections").fetchone()
        # A standby with fewer connections than its primary does not start.
        super().__init__(folder, durable=False, max_connections=int(limit[0] if limit else 100))
        self._primary = primary

    def promote(self) -> None:
        """Let it accept writes; return when it does."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def _responds(self) -> bool:
        # It answers from a moment at which no transaction of its primary has many savepoints. The
        # primary announces one every 15 s, and when it is asked to.
        with psycopg.connect(host=self._primary, user=SUPERUSER, dbname="postgres") as connection:
            connection.execute("SELECT pg_log_standby_snapshot()")
        return super()._responds()

    def _init_cluster(self) -> None:
        self._run_program(
            *("pg_basebackup", "--host", self._primary, "--no-password"),
            *("--username", SUPERUSER, "--pgdata", self.data, "--write-recovery-conf"),
            *("--checkpoint=fast", "--no-sync", "--no-manifest"),
        )
