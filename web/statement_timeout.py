"""A limit on how long a page waits for the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
