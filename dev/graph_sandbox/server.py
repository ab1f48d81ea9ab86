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

from dev.graph_sandbox.batch import Batches
from dev.graph_sandbox.control_api import PREFIX, ControlApi, Log
from dev.graph_sandbox.faults import Faults
from dev.graph_sandbox.graph import Graph
from dev.graph_sandbox.messages import Cut, Request, Response
from dev.graph_sandbox.sign_in import SignIn
from dev.graph_sandbox.store import Store

MAX_BODY = 8 * 1024 * 1024
SAVE_SECONDS = 1.0


class Sandbox:
    """Routes requests to Graph, the sign-in and the control API."""

    def __init__(self, store: Store, token: str) -> None:
        self.store, self.faults, self.log = store, Faults(), Log()
        self._sign_in = SignIn(store, self.faults)
        self._graph = Graph(store, self.faults, self._sign_in)
        self._batches = Batches(self._graph, self.faults, self._log_request)
        self._control = ControlApi(store, self.faults, self.log, token)

    def respond(self, request: Request) -> Response:
        """Return the response to any request; requests to Graph and the sign-in are logged."""
        if request.path.startswith(PREFIX):
            return self._control.respond(request)
        if self._batches.is_batch(request):
            return self._batches.respond(request)
        if request.path.startswith(("/v1.0/", "/beta/")):
            response, tenant_id, kind = self._graph.respond(request)
            self._log_request(request, response, tenant_id, kind)
            return response
        token_response = self._sign_in.respond(request)
        if token_response is None:
            return Response(404, {"error": {"code": "NotFound", "message": "Unknown path."}})
        self._log_request(request, token_response, request.path.split("/")[1].lower(), "sign_in")
        return token_response

    def _log_request(
        self,
        request: Request,
        response: Response,
        tenant_id: str,
        kind: str,
        *,
        in_batch: bool = False,
    ) -> None:
        status = 0 if response.cut else response.status
        self.log.add(
            at=time.time(),
            tenant_id=tenant_id,
            kind=kind,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            status=status,
            in_batch=in_batch,
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "RunledgerGraphSandbox"
    sys_version = ""
    timeout = 120
    wbufsize = -1  # One write per response.
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        # The handshake runs in this thread: a silent client must not block the accepting thread.
        if self.server.context:
            self.request.settimeout(self.timeout)
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def _serve(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(Response(413, {"error": {"code": "RequestEntityTooLarge", "message": ""}}))
            return
        body = self.rfile.read(int(length))
        self._send(self.server.sandbox.respond(self._request(body)))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class requires these names

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

    def _send(self, response: Response) -> None:
        if response.cut is Cut.NOT_SENT:
            self._disconnect()
            return
        body = response.encoded()
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() != "date":
                self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Type", "application/json;odata.metadata=minimal")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if response.cut is Cut.HALF:
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()
        if response.cut is Cut.HALF:
            self._disconnect()

    def _disconnect(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Print nothing: the control API has the log."""


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
        """Ignore clients that disconnect or do not trust the certificate."""


class RunningServer:
    """A server that listens on its port."""

    def __init__(
        self, sandbox: Sandbox, host: str, port: int, certificate: tuple[Path, Path] | None
    ) -> None:
        self._sandbox = sandbox
        self._server = _Server((host, port), sandbox, _context(certificate))
        self._stopped = threading.Event()
        scheme = "https" if certificate else "http"
        is_local = host in ("127.0.0.1", "0.0.0.0", "::1")  # noqa: S104
        name = "localhost" if is_local else host
        self.url = f"{scheme}://{name}:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Serve until `stop`; changes are saved every second and at the end."""
        threading.Thread(target=self._save_regularly, daemon=True).start()
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._stopped.set()
            self._server.server_close()
            self._sandbox.store.save()

    def stop(self) -> None:
        """Make `serve` return; safe to call from a signal handler."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    def _save_regularly(self) -> None:
        while not self._stopped.wait(SAVE_SECONDS):
            self._sandbox.store.save()


def _context(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
