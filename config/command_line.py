"""`manage.py`: what prevents a command is one line on the error output, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError
from psycopg import errors

from redaction.text import sanitize_text
from tenancy.db import is_database_unavailable

MAX_REASON = 500
#: The tables or functions of this version do not exist.
NOT_MIGRATED = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)


def execute(argv: Sequence[str]) -> None:
    """Run a management command. `--traceback` shows where it failed, as for every command.

    Raises:
        SystemExit: the command failed, or the installation does not let it run.
    """
    try:
        execute_from_command_line(list(argv))
    except (ImproperlyConfigured, DatabaseError, InterfaceError) as error:
        description = describe(error)
        if not description or "--traceback" in argv:
            raise
        sys.exit(description)


def describe(error: Exception) -> str:
    """Say what prevents the command and what to do, or nothing if the error is a defect."""
    diagnostics = getattr(error.__cause__, "diag", None)
    text = getattr(diagnostics, "message_primary", None) or str(error)
    reason = sanitize_text(" ".join(text.split()), max_length=MAX_REASON)
    if isinstance(error, ImproperlyConfigured):
        return f"The settings are not valid. {reason}"
    if is_database_unavailable(error):
        return f"The database cannot be used: {reason}"
    if isinstance(error.__cause__, NOT_MIGRATED):
        return (
            f"The database does not have the tables of this version: {reason}\n"
            "Run “manage.py grant_app_role --migrate” as the owner of the tables."
        )
    if isinstance(error.__cause__, errors.InsufficientPrivilege):
        return (
            f"The database role of this process may not do this: {reason}\n"
            "A command that changes tables or roles needs the DATABASE_URL of their owner. For any "
            "other command, run “manage.py grant_app_role” as the owner."
        )
    return ""
