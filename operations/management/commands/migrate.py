"""`manage.py migrate`: Django's command, which never blocks the pages for long."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import OperationalError, connections
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from psycopg.errors import DeadlockDetected, LockNotAvailable

#: How long a migration waits for a lock. Everything that needs the table waits behind it.
LOCK_SECONDS = 2.0
#: The waits between two attempts, in which the pages go on: five minutes in all.
PAUSES = (1, 2, 4, 8, *[15] * 19)


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
    """Applies migrations, each in a short transaction; tries again if a lock is not free."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate until every migration is applied; those that succeeded are not repeated.

        Raises:
            CommandError: a lock was not free in any attempt.
        """
        connection: Any = connections[options["database"]]
        connection.SchemaEditorClass = ImpatientSchemaEditor
        try:
            for pause in PAUSES:
                if self._migrate(*args, **options):
                    return
                self.stdout.write(f"\n  A lock is not free; trying again in {pause} s.")
                time.sleep(pause)
        finally:
            del connection.SchemaEditorClass
        raise CommandError(
            "Another session keeps a lock that a migration needs. Find it in pg_stat_activity "
            "(xact_start), end it, and run this command again."
        )

    def _migrate(self, *args: Any, **options: Any) -> bool:
        """Return whether the migrations were applied, and no lock was missing."""
        try:
            super().handle(*args, **options)
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                return False
            raise
        return True
