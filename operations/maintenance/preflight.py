"""The preflight checks of web, worker and beat; each message says how to correct the problem.

A broker that evicts messages, or a database role that can disable the guards, would cause harm
unnoticed and much later. A server that does not answer yet only causes a warning.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as PreflightWarning
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection

from operations import failpoints
from operations.database_roles import CALLABLE_FUNCTIONS, WITHHELD_PRIVILEGES
from operations.delivery.refusals import describe_refusal
from tenancy.crypto import key_ring
from tenancy.db import UndeclaredPooler, database_now
from web.durations import duration_text

log = logging.getLogger(__name__)

REQUIRED_POLICY = "noeviction"
#: Microsoft and receivers of webhooks accept differences of some minutes.
MAX_CLOCK_DIFFERENCE = dt.timedelta(minutes=1)
#: The warnings about a server that does not answer.
NOT_REACHED = frozenset({"operations.W010", "operations.W012", "operations.W014"})


Check = Callable[[], Iterator[CheckMessage]]


def refuse_to_start(checks: Iterable[Check] | None = None) -> None:
    """Run these preflight checks, by default those of every process; log the warnings.

    Raises:
        SystemExit: a check found an error; the message says how to correct it.
    """
    errors = []
    for message in run_preflight_checks(checks):
        log.warning("%s %s", message.msg, message.hint or "")
        if message.level >= Error("").level:
            errors.append(f"{message.msg} {message.hint}")
    if errors:
        raise SystemExit("Runledger does not start.\n" + "\n".join(errors))


def run_preflight_checks(checks: Iterable[Check] | None = None) -> list[CheckMessage]:
    """Return the problems of the servers and settings of this installation."""
    return [message for check in checks or CHECKS for message in check()]


def check_broker_eviction() -> Iterator[CheckMessage]:
    """Check that the broker never evicts messages, which the relay would then send forever."""
    try:
        memory = _broker_memory()
    except Exception as error:  # noqa: BLE001 - each transport has its own errors
        yield PreflightWarning(
            f"The broker cannot be used: {describe_refusal(error)}.",
            hint="Check REDIS_URL. Queued runs wait until the broker is available.",
            id="operations.W010",
        )
        return
    policy = memory.get("maxmemory_policy", REQUIRED_POLICY)
    if policy != REQUIRED_POLICY:
        yield Error(
            f"The broker evicts messages: its maxmemory-policy is {policy}.",
            hint="Set “maxmemory-policy noeviction” in its configuration, and do not share it with "
            "a cache.",
            id="operations.E010",
        )


def _broker_memory() -> dict[str, Any]:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=0, timeout=3)
        channel: Any = broker.default_channel
        memory: dict[str, Any] = channel.client.info("memory")
    return memory


def check_database_role() -> Iterator[CheckMessage]:
    """Check that the role of this process cannot drop or skip the triggers."""
    if not settings.REQUIRE_APP_ROLE:
        return
    try:
        reasons, lacks_privileges = _read_role()
    except DatabaseError as error:
        yield PreflightWarning(
            f"The database role cannot be checked ({type(error).__name__}).",
            hint="Check DATABASE_URL and run the migrations.",
            id="operations.W012",
        )
        return
    if reasons:
        yield Error(
            "The database role of this process could disable the guards of the ledger: "
            f"{', and '.join(reasons)}.",
            hint="Run “manage.py grant_app_role” as the owner, and give web, worker and beat a "
            "DATABASE_URL with that role (docs/install.md, “Two database roles”).",
            id="operations.E012",
        )
    if lacks_privileges:
        yield Error(
            "The database role of this process lacks privileges that this version needs.",
            hint="Run “manage.py grant_app_role” as the owner, also after each upgrade and after the "
            "restore of a dump.",
            id="operations.E011",
        )


def _read_role() -> tuple[list[str], bool]:
    """Return the rights that this role must not have, and whether it lacks those that it needs."""
    tables = [table for table, _ in WITHHELD_PRIVILEGES]
    privileges = [privilege for _, privilege in WITHHELD_PRIVILEGES]
    with connection.cursor() as cursor:
        cursor.execute(_ROLE, [tables, privileges, CALLABLE_FUNCTIONS, tables, privileges])
        *rights, unprotected, lacks_privileges = cursor.fetchone()
    is_superuser, is_owner, *_ = rights
    if is_superuser:  # it has every right
        return ["it is a superuser"], False
    reasons = [reason for reason, has_right in zip(_RIGHTS, rights[1:], strict=True) if has_right]
    if unprotected and not is_owner:
        reasons.append(f"it may change or delete rows of {', '.join(unprotected)}")
    return reasons, lacks_privileges


def check_connection_state() -> Iterator[CheckMessage]:
    """Check that PostgreSQL ends idle transactions, and that a pooler is declared."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_user, current_setting('idle_in_transaction_session_timeout') <> '0'"
            )
            role, is_limited = cursor.fetchone()
    except DatabaseError as error:
        if _comes_from_an_undeclared_pooler(error):
            yield Error(
                "A pooler is between this process and PostgreSQL, but DATABASE_POOLER is not set.",
                hint="Set DATABASE_POOLER=transaction (docs/install.md, “Behind a pooler”).",
                id="operations.E015",
            )
            return
        yield PreflightWarning(
            f"The database cannot be checked ({type(error).__name__}).",
            hint="Check DATABASE_URL.",
            id="operations.W014",
        )
        return
    if not is_limited:
        yield Error(
            f"PostgreSQL does not end idle transactions of the role {role}, which could block every "
            "other session.",
            hint="Run “manage.py grant_app_role” as the owner, or “ALTER ROLE … SET "
            "idle_in_transaction_session_timeout = '15s'”. Then make the pooler reconnect.",
            id="operations.E014",
        )


def _comes_from_an_undeclared_pooler(error: DatabaseError) -> bool:
    """Whether the pooler was noticed, or does not accept what only a declared one is not sent."""
    is_refused = not settings.DATABASE_POOLER and "unsupported startup parameter" in str(error)
    return is_refused or isinstance(error, UndeclaredPooler)


def check_web_limits() -> Iterator[CheckMessage]:
    """Check that no statement of a page takes or waits long, because it occupies a thread."""
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, current_setting('statement_timeout') <> '0'"
            " AND current_setting('lock_timeout') <> '0'"
        )
        role, is_limited = cursor.fetchone()
        if not is_limited:
            yield PreflightWarning(
                f"Pages wait for the database without a limit, because the role {role} has none. "
                "One locked table could occupy every thread.",
                hint="Give web a DATABASE_URL with the role that “manage.py grant_app_role” "
                "creates for it (docs/install.md, “Two database roles”).",
                id="operations.W016",
            )


def check_clock() -> Iterator[CheckMessage]:
    """Check that this host and PostgreSQL agree on the time."""
    with suppress(DatabaseError):
        now = database_now()
        difference = abs(dt.datetime.now(dt.UTC) - now)
        if difference > MAX_CLOCK_DIFFERENCE:
            yield PreflightWarning(
                f"The clocks of this host and of PostgreSQL differ by {duration_text(difference)}.",
                hint="Correct the one that is wrong. Every time of Runledger is that of PostgreSQL, and "
                "Microsoft refuses certificates that a worker with a wrong clock has signed with.",
                id="operations.W017",
            )


def check_credential_keys() -> Iterator[CheckMessage]:
    """Check that credentials can be encrypted; otherwise the first one that is entered would fail."""
    try:
        key_ring()
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint="Set CREDENTIAL_KEYS to NAME:KEY (docs/settings.md, “Required”).",
            id="operations.E016",
        )


def check_failpoints() -> Iterator[CheckMessage]:
    """Check that no failpoint is set, because failpoints are for tests only."""
    if settings.REQUIRE_APP_ROLE and os.environ.get(failpoints.VARIABLE):
        yield Error(
            f"{failpoints.VARIABLE} is set: processes would exit at random.",
            hint="Unset it. It is for tests only.",
            id="operations.E013",
        )


_RIGHTS = (
    "it owns the tables",
    "it may set session_replication_role",
    "it may create roles, create databases, replicate, or ignore row security",
    "it may create temporary tables",
    "it may create tables in the schema of Runledger",
    "it is a member of a role that reads or writes files, runs programs, or writes every table",
)
_ROLE = """
SELECT role.rolsuper, pg_has_role(ledger.relowner, 'MEMBER'),
       has_parameter_privilege('session_replication_role', 'SET'),
       role.rolcreaterole OR role.rolcreatedb OR role.rolreplication OR role.rolbypassrls,
       has_database_privilege(current_database(), 'TEMPORARY'),
       has_schema_privilege(ledger.relnamespace, 'CREATE'),
       EXISTS (SELECT FROM pg_roles other WHERE pg_has_role(other.oid, 'MEMBER') AND other.rolname IN (
           'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
           'pg_write_all_data')),
       ARRAY(SELECT name FROM unnest(%s::text[], %s::text[]) AS withheld (name, privileges)
             WHERE has_table_privilege(name, privileges)),
       EXISTS (SELECT FROM unnest(%s::text[]) AS name WHERE NOT has_function_privilege(name, 'EXECUTE'))
       OR EXISTS (
           SELECT FROM pg_class needed, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needs
           WHERE needed.relkind IN ('r', 'p') AND needed.relnamespace = ledger.relnamespace
             AND needed.relowner = ledger.relowner AND NOT has_table_privilege(needed.oid, needs)
             AND NOT EXISTS (SELECT FROM unnest(%s::text[], %s::text[]) AS withheld (name, privileges)
                             WHERE name = needed.relname AND privileges LIKE '%%' || needs || '%%'))
FROM pg_roles role, pg_class ledger
WHERE role.rolname = current_user AND ledger.oid = 'operation_runs'::regclass
"""


CHECKS: tuple[Check, ...] = (
    check_broker_eviction,
    check_database_role,
    check_connection_state,
    check_clock,
    check_credential_keys,
    check_failpoints,
)
WEB_CHECKS = (*CHECKS, check_web_limits)
