"""How many downloads a web process sends at the same time.

A download occupies a thread until the client has read all of it. Without a limit, some of them
occupy every thread, and no page answers.
"""

from __future__ import annotations

import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The worker of gunicorn imports this module before it sets up Django.
    from django.http.response import HttpResponseBase


class DownloadSlots:
    """The slots of a process for responses that are streamed; without a limit until it is set."""

    def __init__(self) -> None:
        self._free: SimpleQueue[None] | None = None

    def limit(self, count: int) -> None:
        """Allow as many downloads as this at the same time."""
        # Not a semaphore: garbage collection can release a slot while its thread occupies one.
        self._free = SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def occupy(self, response: HttpResponseBase) -> bool:
        """Occupy a slot until the response is closed or deleted; return whether one was free."""
        if self._free is None:
            return True
        try:
            self._free.get_nowait()
        except Empty:
            return False
        # It is called once: by the server, or where an error has replaced the response.
        release = weakref.finalize(response, self._free.put, None)
        response._resource_closers.append(release)  # type: ignore[attr-defined]  # noqa: SLF001
        return True


#: The slots of this process. Its worker, which knows the number of threads, limits them.
download_slots = DownloadSlots()
