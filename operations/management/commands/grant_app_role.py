"""`manage.py grant_app_role`: a database role that can do everything but disable the guards."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from psycopg import sql

#: Rows of today's tables and of tomorrow's; nothing that is about tables.
GRANTS = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role};
REVOKE UPDATE ON operation_run_events FROM {role};
"""


class Command(BaseCommand):
    help = (
        "Makes the database role that web, worker and beat connect as, or brings its rights up to "
        "date. Run as the owner of the tables, after each migrate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="migrate first")

    def handle(self, **options: Any) -> None:
        name, password = settings.APP_DATABASE_ROLE, settings.APP_DATABASE_PASSWORD
        if not password:
            raise CommandError("Set APP_DATABASE_PASSWORD: the role signs in with it.")
        if options["migrate"]:
            call_command("migrate", interactive=False, stdout=self.stdout)
        with transaction.atomic():
            make_role(name, password)
            grant(name)
        self.stdout.write(f"The role {name} may read and write, and not touch the guards.")


def make_role(name: str, password: str) -> None:
    """The role with this password, made if it is not there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        cursor.execute(
            sql.SQL(
                "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {}"
            ).format(sql.SQL(verb), sql.Identifier(name), sql.Literal(password))
        )


def grant(name: str) -> None:
    """Let the role read and write rows of today's tables and tomorrow's; nothing about tables."""
    role = sql.Identifier(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = sql.Identifier(cursor.fetchone()[0])
        cursor.execute(sql.SQL(GRANTS).format(schema=schema, role=role))
