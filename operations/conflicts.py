"""Retries after a deadlock or a serialization failure, for which Postgres rolls one transaction back."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error, connection
from psycopg.errors import DeadlockDetected, SerializationFailure

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds before each retry; a random factor from 0.5 to 2 keeps two transactions apart.
PAUSES = (0.05, 0.2, 0.5)


def is_conflict(error: BaseException) -> bool:
    """Return whether the error is a deadlock or a serialization failure, after which a retry helps."""
    return isinstance(error.__cause__, DeadlockDetected | SerializationFailure)


def retry_on_serialization_failure(write: Callable[P, T]) -> Callable[P, T]:
    """Retry a short transaction after a conflict with another one, at most three times.

    Inside an outer transaction nothing is retried, because Postgres has rolled all of it back.
    """

    @functools.wraps(write)
    def write_with_retries(*args: P.args, **options: P.kwargs) -> T:
        for pause in PAUSES:
            try:
                return write(*args, **options)
            except Error as error:
                if connection.in_atomic_block or not is_conflict(error):
                    raise
            time.sleep(pause * random.uniform(0.5, 2))  # noqa: S311 - not a secret  # nosec B311
        return write(*args, **options)

    return write_with_retries
