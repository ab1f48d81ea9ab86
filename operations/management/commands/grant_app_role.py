"""`manage.py grant_app_role`: creates the database role that cannot disable the guards."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from psycopg import sql

#: Privileges on the rows of existing and future tables, but none on the tables themselves.
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
        "Creates or updates the database role that web, worker and beat connect as. Run it as the "
        "owner of the tables after each migrate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="run the migrations first")

    def handle(self, **options: Any) -> None:
        name, password = settings.APP_DATABASE_ROLE, settings.APP_DATABASE_PASSWORD
        if not password:
            raise CommandError("APP_DATABASE_PASSWORD is not set. The role needs a password.")
        if options["migrate"]:
            call_command("migrate", interactive=False, stdout=self.stdout)
        with transaction.atomic():
            create_or_update_role(name, password)
            grant_privileges(name)
        self.stdout.write(f"The role {name} can read and write rows. It cannot change the guards.")


def create_or_update_role(name: str, password: str) -> None:
    """Create the role, or update its password, its attributes and its limit of idle transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        cursor.execute(
            sql.SQL(
                "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {}"
            ).format(sql.SQL(verb), sql.Identifier(name), sql.Literal(password))
        )
        # A pooler can drop what a client sends when it connects, but not what the role says.
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = {}").format(
                sql.Identifier(name), sql.Literal(f"{settings.IDLE_IN_TRANSACTION_SECONDS}s")
            )
        )


def grant_privileges(name: str) -> None:
    """Grant the role access to the rows of existing and future tables, but not to the tables."""
    role = sql.Identifier(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = sql.Identifier(cursor.fetchone()[0])
        cursor.execute(sql.SQL(GRANTS).format(schema=schema, role=role))
