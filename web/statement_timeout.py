"""A limit on how long a page waits for the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class TookTooLong(Exception):
    """A statement exceeded its time limit."""


@contextmanager
def statement_timeout(seconds: float) -> Iterator[None]:
    """Limit every statement inside to `seconds`.

    Raises:
        TookTooLong: a statement exceeded the limit.
    """
    with _reported():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_limit(seconds))
            yield


def read_within(seconds: float, sql: str, params: Sequence[Any]) -> tuple[Any, ...]:
    """Return the first row of a query; its limit goes along in the same message.

    Raises:
        TookTooLong: the query exceeded the limit.
    """
    with _reported(), connection.cursor() as cursor:
        cursor.execute(f"{_limit(seconds)}; {sql}", params)
        cursor.nextset()
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _limit(seconds: float) -> str:
    return f"SELECT set_config('statement_timeout', '{int(seconds * 1000)}', true)"


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
