"""A page never waits long for the database: it says “narrow the filter” instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class TookTooLong(Exception):
    """The database was stopped before it had found everything."""


@contextmanager
def statement_timeout(seconds: float) -> Iterator[None]:
    """Every statement inside ends within `seconds`.

    Raises:
        TookTooLong: one did not.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                milliseconds = str(int(seconds * 1000))
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
