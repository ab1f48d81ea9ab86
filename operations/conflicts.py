"""Deadlocks and serialization failures: Postgres undoes one transaction, which is simply done again."""

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

#: Seconds to wait before each further try, halved or doubled by chance: two that met meet no more.
PAUSES = (0.05, 0.2, 0.5)


def is_conflict(error: BaseException) -> bool:
    """Whether Postgres ended a transaction because of another one, and would take it now."""
    return isinstance(error.__cause__, DeadlockDetected | SerializationFailure)


def retry_on_serialization_failure(write: Callable[P, T]) -> Callable[P, T]:
    """Do a short transaction again when Postgres undid it for another's sake, three times at most.

    Inside somebody else's transaction nothing is tried again: all of that is undone already.
    """

    @functools.wraps(write)
    def tried(*args: P.args, **options: P.kwargs) -> T:
        for pause in PAUSES:
            try:
                return write(*args, **options)
            except Error as error:
                if connection.in_atomic_block or not is_conflict(error):
                    raise
            time.sleep(pause * random.uniform(0.5, 2))  # noqa: S311 - not a secret
        return write(*args, **options)

    return tried
