"""A database that is gone without a word is noticed: the kernel is told how long to wait for it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.db import connection

from config.settings.base import database
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db


def to_the_database() -> socket.socket:
    """A connection to the server of the tests, which may listen on a socket of the file system."""
    connection.ensure_connection()
    info = connection.connection.info
    if not info.host.startswith("/"):
        return socket.create_connection((info.host, info.port))
    unix = socket.socket(socket.AF_UNIX)
    unix.connect(f"{info.host}/.s.PGSQL.{info.port}")
    return unix


def pump(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


@pytest.fixture
def tcp_port() -> Iterator[int]:
    """A port of this host that leads one client to the database."""
    server, listener = to_the_database(), socket.create_server(("127.0.0.1", 0))

    def forward() -> None:
        client, _ = listener.accept()
        with client:
            back = threading.Thread(target=pump, args=(server, client))
            back.start()
            pump(client, server)
            back.join()

    thread = threading.Thread(target=forward)
    thread.start()
    with closing(server), closing(listener):
        yield listener.getsockname()[1]
        thread.join(timeout=10)


def test_the_kernel_gives_up_a_connection_that_is_dead(
    tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = connection.settings_dict
    monkeypatch.setenv("TCP_URL", f"postgresql://{own['USER']}@127.0.0.1:{tcp_port}/{own['NAME']}")
    options: dict[str, Any] = database("TCP_URL")["OPTIONS"]
    given = {"host": "127.0.0.1", "port": tcp_port, "password": own["PASSWORD"], **options}

    with psycopg.connect(database_url(), **given) as opened:
        with socket.socket(fileno=os.dup(opened.fileno())) as wire:
            option = {
                name: wire.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"))
                for name in ("KEEPIDLE", "KEEPINTVL", "KEEPCNT", "USER_TIMEOUT")
            }
            assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

    assert option == {"KEEPIDLE": 10, "KEEPINTVL": 5, "KEEPCNT": 2, "USER_TIMEOUT": 10_000}
