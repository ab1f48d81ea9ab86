"""The one door through which history is written, open for one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def importing() -> Iterator[None]:
    """A transaction in which rows may be added to the three tables; it closes with the transaction.

    Raises:
        TransactionManagementError: there is a transaction already, which would keep it open.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.legacy_import', 'on', true)")
        yield
