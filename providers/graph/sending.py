"""Sends requests in a few threads; everything else stays in the thread that reads their responses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from providers.graph.client import Prepared
from providers.graph.http import Response

#: A request that was handed in, and its response or the error of sending it.
Sent = tuple[Any, Prepared, Response | Exception]


class Sender:
    """Sends at most `size` requests at the same time; use it in a `with` block.

    Its threads never outlive the process. At the end of the block no further request is sent, and
    the responses of the requests under way are discarded.
    """

    def __init__(self, send: Callable[[Prepared], Response], size: int) -> None:
        self._send = send
        self._size = size
        self._requests: SimpleQueue[tuple[Any, Prepared, float] | None] = SimpleQueue()
        self._sent: SimpleQueue[Sent] = SimpleQueue()
        self._threads = 0
        self._is_closed = threading.Event()
        #: The number of requests whose responses were not taken yet.
        self.under_way = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closed.set()
        for _ in range(self._threads):
            self._requests.put(None)

    def submit(self, key: Any, prepared: Prepared, *, delay: float = 0.0) -> None:
        """Send a request after `delay` seconds."""
        self.under_way += 1
        if self._threads < min(self._size, self.under_way):
            self._threads += 1
            threading.Thread(target=self._work, name="graph", daemon=True).start()
        self._requests.put((key, prepared, delay))

    def take(self, timeout: float) -> Sent | None:
        """Return the next response; None if there is none within `timeout` seconds."""
        try:
            sent = self._sent.get(timeout=timeout) if timeout else self._sent.get_nowait()
        except Empty:
            return None
        self.under_way -= 1
        return sent

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            key, prepared, delay = request
            if self._is_closed.wait(delay):
                return
            try:
                result: Response | Exception = self._send(prepared)
            except Exception as error:  # noqa: BLE001 - raised in the thread that takes it
                result = error
            self._sent.put((key, prepared, result))
