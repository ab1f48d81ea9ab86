"""The database's clock, and migration operations: raw SQL from files, keys per workspace."""

from __future__ import annotations

import datetime as dt
import select
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import RunSQL
from django.db.models import BooleanField, CheckConstraint, Func, Model, Q
from psycopg.abc import AdaptContext
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus

#: How long the cancellation of a statement may take.
CANCEL_SECONDS = 5


def database_now() -> dt.datetime:
    """Return the current time of the database, the one clock that all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return now


class IsReadOnly(Func):
    """Whether the database refuses every write, as part of a query: a standby, for example."""

    template = "(current_setting('transaction_read_only') = 'on')"
    arity = 0
    output_field = BooleanField()


def is_database_unavailable(error: BaseException | None) -> bool:
    """Whether the database is down, full, out of connections, too slow or read-only."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, InternalError) and isinstance(error.__cause__, ReadOnlySqlTransaction)


class UndeclaredPooler(OperationalError):
    """A pooler is between this process and PostgreSQL, and no setting says so."""

    def __init__(self) -> None:
        super().__init__(
            "A pooler is between this process and PostgreSQL, but DATABASE_POOLER is not set. "
            "Set DATABASE_POOLER=transaction."
        )


def refuse_undeclared_pooler(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """Close a new connection through a pooler that no setting declares.

    A prepared statement stays on one connection of the server. On the next one, its name is
    unknown, or another client's statement has it and would run instead.

    Raises:
        UndeclaredPooler: there is such a pooler.
    """
    if settings.DATABASE_POOLER or connection.alias != DEFAULT_DB_ALIAS:
        return
    client, is_direct = connection.connection, False
    try:
        (backend,) = client.execute("SELECT pg_backend_pid()").fetchone()
        # A pooler gives each client another process number than that of the server connection.
        is_direct = backend == client.info.backend_pid
    finally:
        if not is_direct:
            connection.close()
    if not is_direct:
        raise UndeclaredPooler


#: The most statements of a connection whose cursors are kept, as many as the driver keeps prepared.
MAX_CURSORS = 100


class _PreparedCursor(psycopg.Cursor[Any]):
    """A cursor of one statement, which the server parses and plans once for each connection."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> _PreparedCursor:
        # Behind a pooler, the next statement may be on another connection of the server.
        if settings.DATABASE_POOLER:
            return super().execute(query, params, prepare=False, **options)
        # Without a threshold, as on connections of Django, the driver never prepares. With one, it
        # would keep the texts of Django's own statements, which can be long.
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, params, prepare=True, **options)
        finally:
            self.connection.prepare_threshold = None

    def _get_prepared(self, query: Any, prepare: bool | None = None) -> Any:
        # The driver stores it only for other statements; Django reads it for its log of statements.
        self._query = query
        return super()._get_prepared(query, prepare)


def run_prepared(sql: str, params: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement that is sent often, with its parameters apart, and return its rows.

    It must be one statement and change no audited table, because the audit log sends the context
    of a change in front of a statement.
    """
    # Each attribute of `connection` looks for the connection of this thread again.
    own = connections[DEFAULT_DB_ALIAS]
    try:
        return _run_prepared(own, sql, params)
    except NotSupportedError:
        # A migration has changed the type of a column: a prepared statement returns the same types
        # until its connection is closed. In a transaction that is before the next request or task.
        if own.in_atomic_block:
            own.close_at = time.monotonic()
            raise
        own.close()
        return _run_prepared(own, sql, params)


def _run_prepared(
    own: Any, sql: str, params: Mapping[str, Any] | Sequence[Any]
) -> list[tuple[Any, ...]]:
    own.ensure_connection()
    kept: tuple[Any, dict[str, _PreparedCursor]] = getattr(own, "prepared_cursors", (None, {}))
    server, cursors = kept
    if server is not own.connection or len(cursors) >= MAX_CURSORS:
        cursors = {}
        own.prepared_cursors = own.connection, cursors
    server_cursor = cursors.pop(sql, None)
    if server_cursor is None:
        with own.wrap_database_errors:
            server_cursor = _PreparedCursor(own.connection)
    # Django's `connection.cursor()` has no choice of the cursor's class.
    cursor = own._prepare_cursor(server_cursor)  # noqa: SLF001
    cursor.execute(sql, params)
    rows = list(cursor.fetchall())
    if len(rows) <= 1:
        # A cursor keeps how the values of its statement are converted, but also its last rows.
        cursors[sql] = server_cursor
    return rows


_TIMES = psycopg.postgres.types["timestamptz"].oid
_DriverTimeLoader: Any = psycopg.adapters.get_loader(_TIMES, psycopg.pq.Format.TEXT)


class _TimeLoader(psycopg.adapt.Loader):
    """The driver's loader of times, which is written in C.

    Django's is written in Python, and a list of runs has more than 200 times. On a connection in
    UTC, as Django's are, both return the same values.
    """

    #: By this attribute Django recognizes a loader of times in the zone of the connection.
    timezone = dt.UTC

    def __new__(cls, oid: int, context: AdaptContext | None = None) -> Any:
        return _DriverTimeLoader(oid, context)


def load_times_fast(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """Let a new connection read times with the loader of the driver."""
    connection.connection.adapters.register_loader(_TIMES, _TimeLoader)


def trust_quiet_connections(**_: object) -> None:
    """Save the statement by which Django checks an open connection before a request or task.

    A server that ends a connection sends something, and the keepalive of the socket reports one
    that disappeared. Without either, nothing can be read from an idle connection. Any other
    connection is checked as usual.
    """
    for each in connections.all(initialized_only=True):
        _trust_if_quiet(each)


def renew_connections() -> None:
    """Do before a task what Django and `trust_quiet_connections` do before a request."""
    for each in connections.all(initialized_only=True):
        each.close_if_unusable_or_obsolete()
        _trust_if_quiet(each)


def close_unless_idle() -> None:
    """Close the connection of this thread unless it is between two transactions.

    A time limit raises an exception at any point: while a statement runs, the connection then takes
    no other one; inside Django's `atomic`, the next transactions would be savepoints of one that
    nothing commits. A statement that still runs is cancelled.
    """
    own: Any = connections[DEFAULT_DB_ALIAS]
    server = own.connection
    if server is None:
        return
    status = server.info.transaction_status
    if status == TransactionStatus.IDLE and own.autocommit and not own.in_atomic_block:
        return
    if status == TransactionStatus.ACTIVE:
        with suppress(psycopg.Error):
            server.cancel_safe(timeout=CANCEL_SECONDS)
    # Otherwise Django keeps the connection until the end of the transaction.
    own.in_atomic_block = own.closed_in_transaction = False
    own.close()


def _trust_if_quiet(each: Any) -> None:
    server = each.connection
    if server is not None and not server.closed and not _has_news(server.fileno()):
        each.health_check_done = True


def _has_news(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN | select.POLLPRI)
    return bool(poll.poll(0))


def call_function(name: str, *arguments: Any) -> Any:
    """Call a function of the database, and return its result."""
    places = ", ".join(["%s"] * len(arguments))
    with connection.cursor() as cursor:
        # Not `callproc`, which bypasses the context of the audit log.
        cursor.execute(f"SELECT {name}({places})", arguments)
        return cursor.fetchone()[0]


def record_reason(reason: str) -> None:
    """Let the audit log keep the reason of the changes in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.reason', %s, true)", [reason])


def passes_checks(row: Model, exclude: Collection[str] | None = None) -> bool:
    """Whether the row passes all check constraints that concern none of the excluded fields.

    This takes one statement. `Model.validate_constraints` takes one for each constraint, and says
    which ones the row does not pass.
    """
    meta, excluded = row._meta, set(exclude or ())  # noqa: SLF001 - Django's own API
    conditions = [each.condition for each in meta.constraints if isinstance(each, CheckConstraint)]
    checks = [each for each in conditions if not Q(each).referenced_base_fields & excluded]
    as_any: Any = row
    values = as_any._get_field_expression_map(meta=meta, exclude=excluded)  # noqa: SLF001
    return Q(*checks).check(values)


def run_sql_file(migration: str, name: str) -> RunSQL:
    """Run `sql/<name>.sql` beside a migration, and `sql/<name>.reverse.sql` to unapply it.

    Args:
        migration: `__file__` of the migration.
        name: the file's name without its suffix.
    """
    folder = Path(migration).parent / "sql"
    return RunSQL(
        (folder / f"{name}.sql").read_text(encoding="utf-8"),
        (folder / f"{name}.reverse.sql").read_text(encoding="utf-8"),
    )


def composite_tenant_fk(table: str) -> RunSQL:
    """Return an operation that adds a foreign key (tenant_id, workspace_id) to tenants.

    It rules out tenants of another workspace. Declare the model's tenant field with
    `db_constraint=False`, because this key includes that constraint.
    """
    name = f"{table}_tenant_of_workspace"
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, workspace_id) "
        "REFERENCES tenants (id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def create_index_concurrently(name: str, definition: str) -> RunSQL:
    """Return an operation that adds an index while other sessions write to the table.

    Its migration sets `atomic = False` and contains nothing else, because it can be interrupted:
    PostgreSQL then leaves an invalid index, which the next attempt replaces.

    Args:
        name: of the index.
        definition: what follows the name, such as `ON tenants (name)`.
    """
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    return RunSQL([drop, f"CREATE INDEX CONCURRENTLY {name} {definition}"], drop)


def drop_index_concurrently(name: str, definition: str) -> RunSQL:
    """Return an operation that removes an index while other sessions write to the table.

    Its migration sets `atomic = False`.

    Args:
        name: of the index.
        definition: what follows the name, with which unapplying the migration creates it again.
    """
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    return RunSQL(drop, [drop, f"CREATE INDEX CONCURRENTLY {name} {definition}"])
