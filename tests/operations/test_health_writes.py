"""Health asks database and broker to write, and answers in time when one of them does not."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from operations.maintenance import health
from operations.testing import record_ticks
from tests.integration.proxy import Proxy
from tests.support.broker import Broker, UseBroker
from tests.support.stack import eventually

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

#: Health limits itself to 4 s, and a load balancer waits 5 s; a busy machine takes longer.
MAX_SECONDS = 15.0
#: A role without permissions; the name is not used by tests of other processes of this server.
READER = f"reader_{uuid.uuid4().hex[:8]}"


def check_in_time() -> dict[str, str]:
    """Return the checks of `/healthz`, which must answer 503 in time."""
    started = time.monotonic()
    response = Client().get("/healthz")
    seconds = time.monotonic() - started

    assert response.status_code == 503
    assert seconds < MAX_SECONDS
    checks: dict[str, str] = response.json()["checks"]
    return checks


# --- the broker -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), "its memory is full"),
        (("REPLICAOF", "127.0.0.1", "1"), "it is a read-only replica"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), "too few replicas are connected to it"),
        (("ACL", "SETUSER", "default", "-set"), "its user lacks a permission"),
        (("ACL", "SETUSER", "default", "resetpass", ">secret"), "it requires a password"),
    ],
)
def test_a_broker_that_refuses_to_write_is_reported(
    broker: Broker, command: tuple[str, ...], cause: str
) -> None:
    record_ticks()
    assert health.check_health()["status"] == "ok"

    broker.execute(*command)

    assert check_in_time()["broker"] == cause


def test_a_broker_that_cannot_save_is_reported(tmp_path: Path, use_broker: UseBroker) -> None:
    data = tmp_path / "data"
    data.mkdir()
    broker = Broker(tmp_path / "broker", enable_protected_configs="yes", save="3600 1")
    use_broker(broker.url)
    try:
        broker.configure("dir", str(data))
        data.rmdir()
        broker.execute("SET", "key", "")
        broker.execute("BGSAVE")
        eventually(
            lambda: broker.execute("INFO", "persistence")["rdb_last_bgsave_status"] == "err",
            what="the failed save",
        )

        assert check_in_time()["broker"] == "it cannot save its data to disk"
    finally:
        broker.configure("save", "")
        broker.stop()


def test_a_frozen_broker_is_reported_in_time(broker: Broker) -> None:
    broker.freeze()
    try:
        assert check_in_time()["broker"] == "it did not answer in time"
    finally:
        broker.thaw()


# --- the database ---------------------------------------------------------------------------------


@pytest.fixture
def read_only_database() -> Iterator[None]:
    """Make the database read-only, as a standby is."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    connection.close()


@pytest.mark.direct  # a pooler keeps connections from before the change of the database
def test_a_read_only_database_is_reported(read_only_database: None, broker: Broker) -> None:
    assert check_in_time()["database"] == "it refuses to write: it is read-only"


@pytest.mark.direct  # a pooler keeps connections from before the change of the database
def test_a_table_that_the_role_may_not_write_is_reported(broker: Broker) -> None:
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {READER}; GRANT {READER} TO current_user")
        cursor.execute(f'ALTER DATABASE "{name}" SET role = {READER}')
    connection.close()
    try:
        assert check_in_time()["database"] == "it refuses to write: its role lacks a permission"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET role = none")
            cursor.execute(f'ALTER DATABASE "{name}" RESET role')
            cursor.execute(f"DROP ROLE {READER}")
        connection.close()


@pytest.fixture
def database_proxy() -> Iterator[Proxy]:
    """Connect to the database through a TCP proxy."""
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
    if not str(host).startswith("/"):
        pytest.skip("The proxy needs a PostgreSQL on a Unix socket.")
    proxy = Proxy(Path(host) / f".s.PGSQL.{port or 5432}")
    connection.close()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": proxy.port}
    yield proxy
    connection.close()
    connection.settings_dict |= {"HOST": host, "PORT": port}
    proxy.close()


def test_a_database_that_accepts_a_query_and_never_answers_is_reported_in_time(
    database_proxy: Proxy, broker: Broker
) -> None:
    """A pooler queues the queries of its clients while PostgreSQL is down."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    database_proxy.go_dead_after(b"INSERT INTO operation_ticks")

    assert check_in_time()["database"] == "it did not answer in time"
    assert connection.connection is None


def test_a_database_that_accepts_connections_and_never_answers_is_reported_in_time(
    broker: Broker,
) -> None:
    original = connection.settings_dict.copy()
    connection.close()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": silent.getsockname()[1]}
        try:
            assert check_in_time()["database"] == "it cannot be reached"
        finally:
            connection.settings_dict |= original
            connection.close()
