"""The product needs no state of a database session, so a pooler can share the connections."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard

import pytest
from django.conf import settings
from django.db import connection, transaction

from operations.models import OperationRun

ROOT = Path(settings.BASE_DIR)
APPS = (
    "config", "redaction", "web", "tenancy", "operations", "providers", "inventory", "backups",
    "restores", "notifications", "legacy_runs",
)  # fmt: skip
MODULES = sorted(path for app in APPS for path in (ROOT / app).rglob("*.py"))
SQL_FILES = sorted(path for app in APPS for path in (ROOT / app).rglob("*.sql"))

#: It reads the database of an older installation, in one transaction.
NAMED_CURSORS = {"legacy_runs/sources.py"}
TRANSACTIONS = {"atomic", "statement_timeout", "allow_import", "allow_pruning"}

SESSION_STATE = re.compile(
    r"""(\A|;)\s*SET\s+(?!LOCAL\b|CONSTRAINTS\b|TRANSACTION\b)\w+(\s+TO\b|\s*=|\s+ZONE\b|\s+AUTHOR)
      | \bset_config\([^)]*,\s*false\s*\)
      | \bpg_(try_)?advisory_(un)?lock
      | (\A|;)\s*(LISTEN|UNLISTEN|NOTIFY|PREPARE)\s
      | \bCREATE\s+(GLOBAL\s+|LOCAL\s+)?TEMP
      | \bWITH\s+HOLD\b""",
    re.VERBOSE,
)


def find_streams(tree: ast.AST) -> Iterator[int]:
    """The lines that read rows through a server-side cursor."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            has_name = bool(node.args) or any(word.arg == "name" for word in node.keywords)
            if name in {"iterator", "aiterator", "chunked_cursor"} or (
                name == "cursor" and has_name
            ):
                yield node.lineno


def find_yields_in_transactions(tree: ast.AST) -> Iterator[int]:
    """The lines where a generator waits for its reader inside a transaction that it opened."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and "contextmanager" not in {
            getattr(decorator, "id", "") for decorator in function.decorator_list
        }:
            yield from (
                node.lineno
                for block in ast.walk(function)
                if isinstance(block, ast.With) and any(map(_opens_transaction, block.items))
                for node in ast.walk(block)
                if isinstance(node, ast.Yield | ast.YieldFrom)
            )


def _opens_transaction(item: ast.withitem) -> bool:
    call = item.context_expr
    if not isinstance(call, ast.Call):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in TRANSACTIONS


def find_session_state(tree: ast.AST) -> Iterator[int]:
    """The lines with SQL whose effect outlives its transaction."""
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    pieces = {piece for node in formatted for piece in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(piece.value) for piece in node.values if _is_text(piece))
        elif _is_text(node) and node not in pieces:
            text = str(node.value)
        else:
            continue
        if SESSION_STATE.search(text):
            yield node.lineno


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.AST]:
    """The modules of the product by their path."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES
    }


@pytest.mark.parametrize(
    "find",
    [find_streams, find_yields_in_transactions, find_session_state],
    ids=lambda f: f.__name__,
)
def test_no_module_leaves_state_on_a_database_connection(
    trees: dict[str, ast.AST], find: Callable[[ast.AST], Iterator[int]]
) -> None:
    places = {f"{path}:{line}" for path, tree in trees.items() for line in find(tree)}

    if find is find_streams:
        places = {place for place in places if place.partition(":")[0] not in NAMED_CURSORS}
    assert places == set()


def test_no_guard_leaves_state_on_a_database_connection() -> None:
    assert [path.name for path in SQL_FILES if SESSION_STATE.search(path.read_text())] == []


@pytest.mark.parametrize(
    "source",
    ["for run in runs.iterator(chunk_size=500): pass", "connection.cursor('log')",
     "connection.cursor(name='log')", "connection.chunked_cursor()"],
)  # fmt: skip
def test_a_stream_is_found(source: str) -> None:
    assert list(find_streams(ast.parse(source))) == [1]
    assert not list(find_streams(ast.parse("connection.cursor()")))


def test_a_generator_that_waits_inside_a_transaction_is_found() -> None:
    source = "def lines():\n with statement_timeout(5):\n  for run in runs:\n   yield run"

    assert list(find_yields_in_transactions(ast.parse(source))) == [4]
    assert not list(find_yields_in_transactions(ast.parse(f"@contextmanager\n{source}")))


@pytest.mark.parametrize(
    "statement",
    ["SET statement_timeout = 5", "SET TIME ZONE 'UTC'", "SET SESSION AUTHORIZATION x",
     "SELECT set_config('a', 'b', false)", "SELECT pg_advisory_lock(1)", "LISTEN runs",
     "CREATE TEMP TABLE t (id int)", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"],
)  # fmt: skip
def test_a_statement_with_state_is_found(statement: str) -> None:
    assert list(find_session_state(ast.parse(f'execute("{statement}")'))) == [1]


@pytest.mark.parametrize(
    "statement",
    ["SET LOCAL statement_timeout = 5", "SET CONSTRAINTS ALL IMMEDIATE", "Set the password.",
     "UPDATE runs SET status = 'x'", "SELECT set_config('a', 'b', true)",
     "SELECT pg_advisory_xact_lock(1)"],
)  # fmt: skip
def test_a_statement_without_state_is_accepted(statement: str) -> None:
    assert list(find_session_state(ast.parse(f'execute("{statement}")'))) == []


@pytest.mark.django_db
def test_no_query_of_django_uses_a_server_side_cursor_or_a_prepared_statement() -> None:
    with transaction.atomic():
        rows = OperationRun.objects.iterator(chunk_size=1)  # as the fields of Django's forms do
        next(rows, None)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_cursors")
            assert cursor.fetchone() == (0,)

    assert connection.connection.prepare_threshold is None
