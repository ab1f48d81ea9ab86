import os
import signal

import pytest
from kombu import Connection

from dev.services.valkey import Valkey, with_database


@pytest.fixture
def server(folder):
    server = Valkey(folder / "valkey")
    yield server
    server.stop()


@pytest.mark.integration
def test_acknowledged_writes_survive_a_restart(server):
    with server.start().client() as client:
        client.rpush("queue", "task")
    server.stop()

    with server.start().client() as client:
        assert client.lrange("queue", 0, -1) == [b"task"]


@pytest.mark.integration
@pytest.mark.chaos
def test_a_killed_server_starts_again_over_its_old_socket(server):
    server.start()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.stop()

    with server.start().client() as client:
        assert client.ping()


@pytest.mark.integration
def test_a_full_broker_never_evicts(server):
    with server.start().client() as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.integration
def test_celery_accepts_the_url(server):
    with Connection(server.start().url(3)) as connection:
        connection.SimpleQueue("messages").put("hello")

    with server.client(3) as client:
        assert client.llen("messages") == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/0", "redis://host:6379/7"),
        ("redis://host", "redis://host/7"),
        (
            "rediss://:pw@host:6379/0?ssl_cert_reqs=required",
            "rediss://:pw@host:6379/7?ssl_cert_reqs=required",
        ),
        ("redis+socket:///a/b.sock?virtual_host=0", "redis+socket:///a/b.sock?virtual_host=7"),
        ("redis+socket:///a/b.sock", "redis+socket:///a/b.sock?virtual_host=7"),
    ],
)
def test_each_test_worker_gets_a_database_of_the_same_server(url, expected):
    assert with_database(url, 7) == expected
