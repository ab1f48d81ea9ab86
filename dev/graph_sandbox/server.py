"""The HTTP server: TLS, keep-alive, one thread per connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dev.graph_sandbox.control_api import PREFIX, ControlApi, Log
from dev.graph_sandbox.faults import Faults
from dev.graph_sandbox.graph import Graph
from dev.graph_sandbox.messages import Answer, Cut, Request
from dev.graph_sandbox.sign_in import SignIn
from dev.graph_sandbox.store import Store

MAX_BODY = 8 * 1024 * 1024
SAVE_SECONDS = 1.0


class Sandbox:
    """Everything behind the socket."""

    def __init__(self, store: Store, token: str) -> None:
        self.store, self.faults, self.log = store, Faults(), Log()
        self._sign_in = SignIn(store, self.faults)
        self._graph = Graph(store, self.faults, self._sign_in)
        self._control = ControlApi(store, self.faults, self.log, token)

    def answer(self, request: Request) -> Answer:
        """The answer to any request; those to Graph and the sign-in are noted in the log."""
        if request.path.startswith(PREFIX):
            return self._control.answer(request)
        if request.path.startswith(("/v1.0/", "/beta/")):
            answer, tenant_id, kind = self._graph.answer(request)
            self._note(request, answer, tenant_id, kind)
            return answer
        signed_in = self._sign_in.answer(request)
        if signed_in is None:
            return Answer(404, {"error": {"code": "NotFound", "message": "Nothing is here."}})
        self._note(request, signed_in, request.path.split("/")[1].lower(), "sign_in")
        return signed_in

    def _note(self, request: Request, answer: Answer, tenant_id: str, kind: str) -> None:
        status = 0 if answer.cut else answer.status
        self.log.add(
            at=time.time(),
            tenant_id=tenant_id,
            kind=kind,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            status=status,
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "RunledgerStandIn"
    sys_version = ""
    timeout = 120
    wbufsize = -1  # One write per answer.
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        # Here and not in the accepting thread, which a silent peer would otherwise hold up.
        if self.server.context:
            self.request.settimeout(self.timeout)
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def _serve(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(Answer(413, {"error": {"code": "RequestEntityTooLarge", "message": ""}}))
            return
        body = self.rfile.read(int(length))
        self._send(self.server.sandbox.answer(self._request(body)))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - the names it wants

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path)
        scheme = "https" if self.server.context else "http"
        return Request(
            method=self.command,
            base_url=f"{scheme}://{self.headers.get('Host', 'localhost')}",
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _send(self, answer: Answer) -> None:
        if answer.cut is Cut.NOT_SENT:
            self._hang_up()
            return
        body = answer.encoded()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() != "date":
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Type", "application/json;odata.metadata=minimal")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if answer.cut is Cut.HALF else body)
        self.wfile.flush()
        if answer.cut is Cut.HALF:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Silent: the log is asked for through the control API."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], sandbox: Sandbox, context: ssl.SSLContext | None
    ) -> None:
        self.sandbox, self.context = sandbox, context
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up or does not trust us is no event."""


class RunningServer:
    """A server on its port; `serve()` until `stop()`."""

    def __init__(
        self, sandbox: Sandbox, host: str, port: int, certificate: tuple[Path, Path] | None
    ) -> None:
        self._sandbox = sandbox
        self._server = _Server((host, port), sandbox, _context(certificate))
        self._stopped = threading.Event()
        scheme = "https" if certificate else "http"
        shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::1") else host  # noqa: S104
        self.url = f"{scheme}://{shown}:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Answer until stopped; what changed is kept every second and at the end."""
        threading.Thread(target=self._save, daemon=True).start()
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._stopped.set()
            self._server.server_close()
            self._sandbox.store.save()

    def stop(self) -> None:
        """End `serve`; safe to call from a signal handler."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    def _save(self) -> None:
        while not self._stopped.wait(SAVE_SECONDS):
            self._sandbox.store.save()


def _context(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
