"""The worker of gunicorn: health checks and connections without a request need no thread.

A request whose address or header fields are too large gets the same error pages as every other one.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.workers.gthread import TConn, ThreadWorker

from web.downloads import download_slots

#: How long a new connection may be silent.
SILENCE_SECONDS = 5
#: A health check is as short as this, so that its thread never waits for the rest.
PEEK_BYTES = 4096
HEALTH_CHECKS = (b"GET /livez ", b"HEAD /livez ")
#: The statuses and templates for a request that is too large to be read, so that Django never sees it.
TOO_LARGE = {
    LimitRequestLine: ("414 URI Too Long", "414.html"),
    LimitRequestHeaders: ("431 Request Header Fields Too Large", "431.html"),
}


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threaded worker, which still answers `/livez` while every thread is busy.

    Gunicorn gives each new connection a thread, so that all of them can wait for a locked table, or
    for clients that send nothing. This worker waits for the first bytes of a request in its event
    loop, and answers a complete request for `/livez` in a thread that does nothing else.
    """

    def init_process(self) -> None:
        self.health_check_thread = ThreadPoolExecutor(max_workers=1)
        # The other half of the threads answers pages.
        download_slots.limit(max(1, self.cfg.threads // 2))
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its first bytes without a thread."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        self.nr_conns += 1
        connection = TConn(self.cfg, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + SILENCE_SECONDS
        self.pending_conns.append(connection)
        self.poller.register(
            client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection)
        )

    def enqueue_req(self, conn: TConn) -> None:
        """Let a thread handle the request of a connection."""
        pool = self.health_check_thread if is_health_check(conn.sock) else self.tpool
        pool.submit(self.handle, conn).add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, conn, future)
        )

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be read or handled."""
        if type(exc) not in TOO_LARGE:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "", exc)
        with suppress(OSError):
            util.write_nonblock(client, error_answer(*TOO_LARGE[type(exc)]))


def error_answer(status: str, template: str) -> bytes:
    """Return the whole answer with an error page; the connection is closed after it."""
    # Django is set up in the process of the worker only.
    from django.template.loader import render_to_string  # noqa: PLC0415

    from config.middleware import CONTENT_SECURITY_POLICY  # noqa: PLC0415

    body = render_to_string(template).encode()
    lines = (
        f"HTTP/1.1 {status}",
        "Connection: close",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def is_health_check(client: socket.socket) -> bool:
    """Whether a complete request for `/livez` can be read; it stays unread."""
    try:
        head = client.recv(PEEK_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
    return head.startswith(HEALTH_CHECKS) and b"\r\n\r\n" in head
