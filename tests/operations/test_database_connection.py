"""The kernel closes a database connection whose server no longer responds."""

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


def connect_to_server() -> socket.socket:
    """Connect to the server of the tests, by TCP or by its Unix socket."""
    connection.ensure_connection()
    info = connection.connection.info
    if not info.host.startswith("/"):
        return socket.create_connection((info.host, info.port))
    unix = socket.socket(socket.AF_UNIX)
    unix.connect(f"{info.host}/.s.PGSQL.{info.port}")
    return unix


def forward(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


@pytest.fixture
def tcp_port() -> Iterator[int]:
    """A port that forwards one client to the database."""
    server, listener = connect_to_server(), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            back = threading.Thread(target=forward, args=(server, client))
            back.start()
            forward(client, server)
            back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    with closing(server), closing(listener):
        yield listener.getsockname()[1]
        thread.join(timeout=10)


def test_the_kernel_closes_a_dead_connection(
    tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = connection.settings_dict
    monkeypatch.setenv(
        "TCP_URL", f"postgresql://{config['USER']}@127.0.0.1:{tcp_port}/{config['NAME']}"
    )
    options: dict[str, Any] = database("TCP_URL")["OPTIONS"]
    parameters = {"host": "127.0.0.1", "port": tcp_port, "password": config["PASSWORD"], **options}

    with psycopg.connect(database_url(), **parameters) as client:
        with socket.socket(fileno=os.dup(client.fileno())) as wire:
            option = {
                name: wire.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"))
                for name in ("KEEPIDLE", "KEEPINTVL", "KEEPCNT", "USER_TIMEOUT")
            }
            assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

    assert option == {"KEEPIDLE": 10, "KEEPINTVL": 5, "KEEPCNT": 2, "USER_TIMEOUT": 10_000}
