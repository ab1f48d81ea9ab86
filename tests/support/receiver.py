"""A receiver of webhooks with HTTPS, which answers as a test says and keeps what it accepted."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dev.graph_sandbox.tls import ensure_certificate


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """A response. `send` replaces it by what it does with the handler of the request."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    send: Callable[[BaseHTTPRequestHandler], None] | None = None


class Receiver:
    """Listens on loopback, with a certificate for `localhost`.

    `replies` are taken one after the other; without one, a request is accepted. A `port` of an
    earlier receiver makes it one that returns.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.replies: list[Reply] = []
        self.received: list[Received] = []
        #: Ends the replies that hang.
        self.released = threading.Event()
        self.ca = folder / "ca.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ensure_certificate(folder, "localhost"))
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        # The handshake is made by the thread of the request, so that a client cannot block others.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_port
        self.url = f"https://localhost:{self.port}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)
        self._thread.start()

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer nothing until `released`."""
        self.released.wait(30)

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Send a byte now and then until `released`, so that no single read takes long."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
        with suppress(OSError):
            for _ in range(1500):
                handler.wfile.write(b"x")
                if self.released.wait(0.02):
                    return

    def close(self) -> None:
        """Stop listening."""
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = receiver.replies.pop(0) if receiver.replies else Reply()
            receiver.received.append(Received(self.path, dict(self.headers.items()), body))
            if reply.send:
                reply.send(self)
                return
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *arguments: Any) -> None:
            """Leave the log of the tests alone."""

    return Handler
