"""An open connection is used without a statement that checks it; one that broke is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest
from django.core.signals import request_started
from django.db import close_old_connections, connection

from tenancy.db import renew_connections, trust_quiet_connections
from tests.support.stack import database_url


@pytest.fixture
def server_process(transactional_db: None) -> int:
    """The server's process of this thread's connection."""
    connection.ensure_connection()
    assert connection.connection
    return int(connection.connection.info.backend_pid)


def begin_request() -> None:
    """Do what Django and Runledger do with the connections when a request begins."""
    close_old_connections()
    trust_quiet_connections()


each_begin = pytest.mark.parametrize("begin", [begin_request, renew_connections])


def test_it_follows_the_receiver_that_closes_old_connections() -> None:
    receivers = [receiver() for _, receiver, *_ in request_started.receivers]

    assert trust_quiet_connections in receivers


@each_begin
def test_an_open_connection_is_not_checked(
    begin: Callable[[], None], server_process: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "is_usable", lambda: pytest.fail("a statement checked it"))

    begin()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")

        assert cursor.fetchone() == (server_process,)


@each_begin
@pytest.mark.direct  # a pooler keeps the connection of its client
def test_a_connection_that_the_server_ended_is_replaced(
    begin: Callable[[], None], server_process: int
) -> None:
    with psycopg.connect(database_url(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [server_process])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        begin()
        if not connection.health_check_done:  # type: ignore[attr-defined]
            break
        time.sleep(0.01)

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    assert process != server_process


@pytest.mark.direct  # a pooler gives each client another process
@each_begin
def test_an_old_connection_is_replaced(begin: Callable[[], None], server_process: int) -> None:
    connection.close_at = time.monotonic() - 1

    begin()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (server_process,)
