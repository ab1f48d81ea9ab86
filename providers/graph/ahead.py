"""Requests the next page of a list while the last one is processed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from providers.graph.client import GraphClient, Prepared, WaitReason
from providers.graph.errors import GraphError
from providers.graph.http import Response
from providers.graph.sending import Sender

#: Seconds between two looks at whether the response is there.
TAKE_SECONDS = 60.0


class AheadClient(GraphClient):
    """A client for lists whose objects are processed in turn, such as those of a sync.

    Each page is requested as soon as the one before has arrived. One that is not needed any more is
    discarded.
    """

    def list(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every object of a collection; see `GraphClient.list`."""
        with Sender(self.send, 1) as sender:
            yield from self._pages(
                path, params, partial(self._fetch, sender), partial(self._read_ahead, sender)
            )

    def _read_ahead(self, sender: Sender, url: str) -> None:
        try:
            prepared = self.prepare("GET", url)
        except GraphError:
            # The page is requested again when it is needed, and then it is an error.
            return
        delay, reason = self.pacing_delay(url)
        if reason == WaitReason.THROTTLED:
            self.wait(delay, reason)
            delay = 0.0
        sender.submit(url, prepared, delay=delay)

    def _fetch(self, sender: Sender, url: str) -> dict[str, Any]:
        first = partial(_take, sender) if sender.under_way else None
        return self._exchange(partial(self._send_once, "GET", url, None), first=first)


def _take(sender: Sender) -> tuple[Prepared, Response]:
    """Return the request that was sent ahead, and its response.

    Raises:
        GraphError: there is no response.
    """
    while (sent := sender.take(TAKE_SECONDS)) is None:
        pass
    _, prepared, result = sent
    if isinstance(result, Exception):
        raise result
    return prepared, result
