"""Connections stay open until the requests of other threads have ended."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev.graph_sandbox.tls import ensure_certificate
from providers.graph.http import Http

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SECONDS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture
def server(folder: Path) -> Iterator[socket.socket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ensure_certificate(folder, "localhost"))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        context.wrap_socket(listener, server_side=True) as server,
    ):
        server.settimeout(SECONDS)
        yield server


def accept_request(server: socket.socket) -> socket.socket:
    connection, _ = server.accept()
    connection.settimeout(SECONDS)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(4096)
    return connection


def test_a_response_under_way_arrives_after_the_end(server: socket.socket, folder: Path) -> None:
    """Before, its thread read the first bytes of the next connection of the process."""
    http = Http(ca_bundle=str(folder / "ca.pem"), trust_env=False)
    with ThreadPoolExecutor(1) as thread:
        response = thread.submit(http.send, "GET", f"https://127.0.0.1:{server.getsockname()[1]}/")
        with accept_request(server) as connection:
            http.close()
            pairs = [socket.socketpair() for _ in range(4)]
            for pair in pairs:
                for sender, receiver in (pair, pair[::-1]):
                    sender.sendall(b"of another connection")
                    receiver.settimeout(SECONDS)
            connection.sendall(RESPONSE)

            assert response.result(timeout=SECONDS).json() == {}
            assert connection.recv(1) == b"", "the last request closes the connections"
    for pair in pairs:
        for end in pair:
            assert end.recv(4096) == b"of another connection"
            end.close()


def test_nothing_is_sent_after_the_end(server: socket.socket, folder: Path) -> None:
    http = Http(ca_bundle=str(folder / "ca.pem"), trust_env=False)
    http.close()

    with pytest.raises(RuntimeError, match="closed"):
        http.send("GET", f"https://127.0.0.1:{server.getsockname()[1]}/")
