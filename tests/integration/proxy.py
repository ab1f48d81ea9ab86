"""A TCP proxy for a server whose connections can become dead without being closed."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class Proxy:
    """Forward a TCP port to a Unix socket; `go_dead` behaves like an unplugged cable.

    A dead connection stays open but carries no data any more; a new one works.
    """

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._dead: set[socket.socket] = set()
        self._last_words: bytes | None = None
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def port(self) -> int:
        """The TCP port of the proxy."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The URL of the broker through the proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def connections(self) -> int:
        """The number of connections so far."""
        return len(self._open) // 2

    def go_dead(self) -> None:
        """Make every existing connection dead."""
        self._dead.update(self._open)

    def go_dead_after(self, data: bytes) -> None:
        """Make each connection dead as soon as a client sends this data on it."""
        self._last_words = data

    def close(self) -> None:
        for endpoint in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                endpoint.shutdown(socket.SHUT_RDWR)
            endpoint.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=[source, sink], daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        """Forward data until one side closes; discard the data of a dead connection."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._last_words and self._last_words in data:
                    self._dead.update((source, sink))
                if source not in self._dead:
                    sink.sendall(data)
            if source not in self._dead:
                sink.shutdown(socket.SHUT_WR)
