"""Write access to legacy runs, for one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def allow_import() -> Iterator[None]:
    """Open a transaction that can add rows to the three tables; the permission ends with it.

    Raises:
        TransactionManagementError: a transaction is already open; it would extend the permission.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.legacy_import', 'on', true)")
        yield
