"""Requests the next page of a list while the last one is processed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from providers.graph.client import SLICE_SECONDS, GraphClient, Prepared, WaitReason
from providers.graph.errors import GraphError
from providers.graph.http import Response
from providers.graph.sending import Sender


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
        first = partial(self._take, sender) if sender.under_way else None
        return self._exchange(partial(self._send_once, "GET", url, None), first=first)

    def _take(self, sender: Sender) -> tuple[Prepared, Response]:
        """Return the request that was sent ahead, and its response.

        As long as it waits for its pace or for its response, `on_wait` can end that.

        Raises:
            GraphError: there is no response.
        """
        while (sent := sender.take(SLICE_SECONDS)) is None:
            if self._on_wait:
                self._on_wait(SLICE_SECONDS, WaitReason.PACING)
        _, prepared, result = sent
        if isinstance(result, Exception):
            raise result
        return prepared, result
