"""The links of a campaign's network fail as they are asked to, and work again after the repair."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.chaos.network import Network, NetworkError

#: Long enough to arrive on a busy machine; a test that waits for silence waits this long.
WAIT = 1.0


class Echo:
    """A server on a Unix socket that answers what it gets."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with self._listener, contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1000):
                connection.sendall(data)


class Link:
    """The link of a test."""

    def __init__(self, network: Network, path: Path) -> None:
        self._network, self._path = network, path
        self.clients: list[socket.socket] = []

    def command(self, action: str) -> int:
        return self._network.command("link", action)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        self.clients.append(client)
        client.settimeout(20)
        client.connect(str(self._path))
        return client


@pytest.fixture
def link() -> Iterator[Link]:
    with tempfile.TemporaryDirectory(prefix="net-") as name:
        folder = Path(name)
        server = Echo(folder / "server")
        network = Network(folder, {"link": (folder / "link", folder / "server")})
        network.start()
        link = Link(network, folder / "link")
        yield link
        for client in link.clients:
            client.close()
        network.stop()
        server.close()


def ask(client: socket.socket) -> bytes:
    client.sendall(b"hello")
    return client.recv(1000)


def is_silent(client: socket.socket) -> bool:
    """Whether nothing arrives for a while."""
    client.settimeout(WAIT)
    try:
        client.recv(1000)
    except TimeoutError:
        return True
    finally:
        client.settimeout(20)
    return False


def test_a_link_forwards(link: Link) -> None:
    assert ask(link.connect()) == b"hello"


def test_a_cut_ends_connections_and_new_ones_work(link: Link) -> None:
    client = link.connect()
    ask(client)

    assert link.command("cut") == 1

    assert client.recv(1000) == b""
    assert ask(link.connect()) == b"hello"


def test_a_link_that_refuses_accepts_again_after_its_repair(link: Link) -> None:
    link.command("refuse")
    with pytest.raises(OSError, match="refused"):
        link.connect()

    link.command("repair")

    assert ask(link.connect()) == b"hello"


def test_what_was_sent_into_silence_arrives_after_the_repair(link: Link) -> None:
    client = link.connect()
    ask(client)
    assert link.command("silence") == 1
    client.sendall(b"late")
    assert is_silent(client)

    link.command("repair")

    assert client.recv(1000) == b"late"


def test_a_half_open_connection_is_silent_until_the_repair_ends_it(link: Link) -> None:
    client = link.connect()
    ask(client)
    assert link.command("half_open") == 1
    client.sendall(b"lost")
    assert is_silent(client)
    assert ask(link.connect()) == b"hello"

    link.command("repair")

    assert client.recv(1000) == b""


def test_a_slow_link_delivers(link: Link) -> None:
    client = link.connect()
    ask(client)

    link.command("slow")

    assert ask(client) == b"hello"


def test_an_unknown_command_is_an_error(link: Link) -> None:
    with pytest.raises(NetworkError):
        link.command("sabotage")
