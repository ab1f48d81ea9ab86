"""Two users choose a default connection at the same time."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError
from django.db import connection as database

from providers import services
from providers.models import ProviderConnection
from tests.support.factories.providers import ProviderConnectionFactory


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_choices_leave_one_default_and_neither_fails() -> None:
    first = ProviderConnectionFactory(is_default=False)
    second = ProviderConnectionFactory(tenant=first.tenant, is_default=False)
    start = threading.Barrier(2)
    errors: list[DatabaseError] = []

    def choose(connection: ProviderConnection) -> None:
        try:
            start.wait()
            for _ in range(20):
                services.make_default(connection)
        except DatabaseError as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=choose, args=[connection]) for connection in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert ProviderConnection.objects.defaults().count() == 1
