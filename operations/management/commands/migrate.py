"""`manage.py migrate`: Django's command, which never blocks the pages for long."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import DatabaseError, connections
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
)

#: How long a migration waits for a lock. Everything that needs the table waits behind it.
LOCK_SECONDS = 2.0
#: The waits between two attempts, in which the pages go on: five minutes in all.
PAUSES = (1, 2, 4, 8, *[15] * 19)


@dataclass(frozen=True)
class Obstacle:
    """Why a migration could not be applied now, and what to do if that stays so."""

    what: str
    next_step: str


LOCKED = Obstacle(
    "A lock is not free.",
    "Another session keeps a lock that a migration needs. Find it in pg_stat_activity (xact_start), "
    "end it, and run this command again.",
)
TOO_SLOW = Obstacle(
    "PostgreSQL ended a transaction in which this command was silent for too long.",
    "This host is too busy. Run this command again, or set IDLE_IN_TRANSACTION_SECONDS=600 for it.",
)


class ImpatientSchemaEditor(DatabaseSchemaEditor):
    """Limits the wait for each lock in the transaction of a migration.

    Migrations without a transaction build indexes CONCURRENTLY: they block nothing while they wait.
    """

    def __enter__(self) -> ImpatientSchemaEditor:
        super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            milliseconds = int(LOCK_SECONDS * 1000)
            self.execute(f"SET LOCAL lock_timeout = {milliseconds}")
        return self


class Command(DjangoCommand):
    """Applies migrations, each in a short transaction; repeats one that met an obstacle."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate until every migration is applied; those that succeeded are not repeated.

        Raises:
            CommandError: every attempt met an obstacle.
        """
        connection: Any = connections[options["database"]]
        connection.SchemaEditorClass = ImpatientSchemaEditor
        obstacle: Obstacle | None = None
        try:
            for pause in PAUSES:
                obstacle = self._migrate(*args, **options)
                if not obstacle:
                    return
                self.stdout.write(f"\n  {obstacle.what} Trying again in {pause} s.")
                # PostgreSQL may have closed it.
                connection.close()
                time.sleep(pause)
        finally:
            del connection.SchemaEditorClass
        assert obstacle
        raise CommandError(f"{obstacle.what} {obstacle.next_step}")

    def _migrate(self, *args: Any, **options: Any) -> Obstacle | None:
        """Apply the migrations; return what prevented one for the moment."""
        try:
            super().handle(*args, **options)
        except DatabaseError as error:
            if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                return LOCKED
            if isinstance(error.__cause__, IdleInTransactionSessionTimeout):
                return TOO_SLOW
            raise
        return None
