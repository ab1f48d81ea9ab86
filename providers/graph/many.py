"""Reads many objects of one tenant at once: in batches, and a few batches at a time.

A read is a function that asks a client for one response after the other, such as the capture of a
policy. It is called again from its start with the responses so far, until it needs no other one, so
it must depend on nothing else. Between the calls, the responses that many reads need are requested
together.
"""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from providers.graph import batch
from providers.graph.client import (
    READ_HEADERS,
    Attempts,
    GraphClient,
    Prepared,
    WaitReason,
    wait_reason,
)
from providers.graph.errors import (
    CredentialRejected,
    GraphError,
    Transient,
    network_error,
)
from providers.graph.http import Response, UnreadableResponse
from providers.graph.sending import Sender

T = TypeVar("T")
#: Requests that are under way at the same time, each a batch.
PARALLEL = 4
#: `on_tick` is called at least this often, in seconds.
TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a read returned, or the error that it raised."""

    value: T | None = None
    error: Exception | None = None

    def get(self) -> T:
        """Return the value.

        Raises:
            Exception: the error of the read.
        """
        if self.error:
            raise self.error
        return self.value  # type: ignore[return-value]


class ResponseNeeded(BaseException):
    """A read needs the response of this URL before it can continue.

    It is not an `Exception`, so that a read that catches errors does not catch it.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class Replay(GraphClient):
    """A client that knows some responses in their order, and sends nothing."""

    def __init__(self, client: GraphClient) -> None:
        # It has the address and the token of the client.
        vars(self).update(vars(client))
        self._known: list[tuple[str, dict[str, Any] | GraphError]] = []
        self._position = 0

    def start(self, known: list[tuple[str, dict[str, Any] | GraphError]]) -> None:
        """Give these responses from the first one on."""
        self._known, self._position = known, 0

    def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        if method != "GET":
            raise RuntimeError(f"a read must not send {method} requests")
        if self._position == len(self._known):
            raise ResponseNeeded(url)
        known_url, response = self._known[self._position]
        self._position += 1
        if known_url != url:
            raise RuntimeError("a read must ask for the same responses each time")
        if isinstance(response, GraphError):
            raise response
        # A read can change what it gets, and is called again.
        return copy.deepcopy(response)


@dataclass
class _Read(Generic[T]):
    """A read in progress: the responses so far, and the one that it needs next."""

    place: int
    function: Callable[[GraphClient], T]
    known: list[tuple[str, dict[str, Any] | GraphError]] = field(default_factory=list)
    url: str = ""
    attempts: Attempts = field(default_factory=Attempts)
    #: Whether the next request is sent alone, because a batch did not answer it.
    is_alone: bool = False
    outcome: Outcome[T] | None = None


class ManyReads:
    """Reads many objects; use it from one thread, which alone calls the reads and `on_tick`.

    A throttled request lets all others wait too, and halves the number of batches under way, which
    then grows again with each success. Retries have the limits of the client.
    """

    def __init__(
        self,
        client: GraphClient,
        *,
        on_tick: Callable[[], None] = lambda: None,
        parallel: int = PARALLEL,
        batch_size: int = batch.MAX_REQUESTS,
    ) -> None:
        """`on_tick` is called before requests are sent and while responses are awaited.

        It can raise to stop: then no further request is sent.
        """
        self._client = client
        self._replay = Replay(client)
        self._on_tick = on_tick
        self._parallel = parallel
        self._batch_size = batch_size
        self._allowed = float(parallel)
        #: The number of runs, of all workers, that divide the requests under way among them.
        self.share = 1
        self._is_throttled = False
        self._waiting: list[_Read[Any]] = []
        self._pause, self._pause_reason = 0.0, WaitReason.UNAVAILABLE

    def outcomes(
        self, functions: Iterable[Callable[[GraphClient], T]]
    ) -> Generator[Outcome[T], None, None]:
        """Yield the outcome of each read, in the order of the reads.

        Raises:
            Blocked: there is no token.
        """
        remaining = enumerate(functions)
        window: deque[_Read[T]] = deque()
        # More reads than fit into the batches under way, so that the next ones are full too.
        size = self._batch_size * (self._parallel + 1)
        with Sender(self._client.send, self._parallel) as sender:
            while True:
                if len(window) <= size - self._batch_size:
                    # A batch at a time: a read that is added alone would be sent alone.
                    for entry in itertools.islice(remaining, size - len(window)):
                        window.append(_Read(*entry))
                        self._advance(window[-1])
                while sent := sender.take(0):
                    self._receive(*sent)
                self._on_tick()
                self._submit(sender)
                if not window:
                    return
                if outcome := window[0].outcome:
                    window.popleft()
                    yield outcome
                else:
                    self._wait(sender)

    def _advance(self, read: _Read[Any]) -> None:
        """Call the read with the responses so far: it ends, or needs another response."""
        self._replay.start(read.known)
        try:
            read.outcome = Outcome(read.function(self._replay))
        except ResponseNeeded as needed:
            read.url, read.attempts, read.is_alone = needed.url, Attempts(), False
            self._waiting.append(read)
        except Exception as error:  # noqa: BLE001 - raised by `Outcome.get`
            read.outcome = Outcome(error=error)
        if read.outcome:
            read.known = []

    # --- sending ----------------------------------------------------------------------------------

    def _submit(self, sender: Sender) -> None:
        """Send what the reads need, as far as it may be sent now; the first reads come first."""
        self._waiting.sort(key=lambda read: read.place)
        while self._waiting and not self._pause and sender.under_way < self._most_under_way():
            reads = self._take()
            try:
                prepared = self._prepare(reads)
            except GraphError as error:
                for read in reads:
                    self._fail(read, error)
                continue
            # Each request of a batch counts, as if it were sent alone.
            delay, reason = self._client.pacing_delay(*(read.url for read in reads))
            if reason == WaitReason.THROTTLED:
                self._client.wait(delay, reason)
                delay = 0.0
            sender.submit(reads, prepared, delay=delay)

    def _most_under_way(self) -> int:
        """How many requests may be under way now: the share of this client, less if throttled."""
        return max(1, int(min(self._allowed, self._parallel / self.share)))

    def _is_sent_alone(self, read: _Read[Any]) -> bool:
        """Whether it is no part of a batch: its pace is limited, or a batch did not answer it."""
        return (
            read.is_alone
            or self._batch_size == 1
            or len(self._waiting) == 1
            or not batch.version_of(read.url, self._client.base_url)
            or self._client.is_single(read.url)
        )

    def _take(self) -> list[_Read[Any]]:
        """Take the reads of the next request: one that is sent alone, or those of a batch."""
        if self._is_sent_alone(self._waiting[0]):
            return [self._waiting.pop(0)]
        base_url = self._client.base_url
        version = batch.version_of(self._waiting[0].url, base_url)
        reads = [
            read
            for read in self._waiting
            if not self._is_sent_alone(read) and batch.version_of(read.url, base_url) == version
        ][: self._batch_size]
        taken = {read.place for read in reads}
        self._waiting = [read for read in self._waiting if read.place not in taken]
        return reads

    def _prepare(self, reads: list[_Read[Any]]) -> Prepared:
        """Return the request of these reads.

        Raises:
            GraphError, Blocked: there is no token.
        """
        if len(reads) == 1:
            return self._client.prepare("GET", reads[0].url)
        base_url = self._client.base_url
        content = batch.build([read.url for read in reads], base_url, READ_HEADERS)
        url = f"{base_url}{batch.version_of(reads[0].url, base_url)}/$batch"
        return self._client.prepare("POST", url, content, is_write=False)

    def _wait(self, sender: Sender) -> None:
        """Wait for a response, or until a request may be sent again."""
        if sender.under_way:
            if sent := sender.take(TICK_SECONDS):
                self._receive(*sent)
        elif self._pause:
            seconds, self._pause = self._pause, 0.0
            self._client.wait(seconds, self._pause_reason)

    # --- receiving --------------------------------------------------------------------------------

    def _receive(
        self, reads: list[_Read[Any]], prepared: Prepared, result: Response | Exception
    ) -> None:
        if isinstance(result, Exception) and not isinstance(result, GraphError):
            raise result
        self._is_throttled = False
        if prepared.method == "GET":
            self._receive_one(reads[0], prepared, result)
        else:
            self._receive_batch(reads, prepared, result)
        if self._is_throttled:
            self._allowed = max(1.0, self._allowed / 2)

    def _receive_one(
        self, read: _Read[Any], prepared: Prepared, result: Response | GraphError
    ) -> None:
        try:
            if isinstance(result, GraphError):
                raise result
            body = self._client.parse(prepared, result)
        except GraphError as error:
            self._fail(read, error)
        else:
            self._succeed(read, body)

    def _receive_batch(
        self, reads: list[_Read[Any]], prepared: Prepared, result: Response | GraphError
    ) -> None:
        try:
            if isinstance(result, GraphError):
                raise result
            body = self._client.parse(prepared, result)
            parts = batch.parse(body, len(reads), result.headers.get("date", ""))
        except UnreadableResponse as error:
            self._fail_batch(reads, network_error(error, prepared.url, prepared.request_id))
        except GraphError as error:
            self._fail_batch(reads, error)
        else:
            for read, part in zip(reads, parts, strict=True):
                self._receive_part(read, prepared, part)

    def _receive_part(self, read: _Read[Any], prepared: Prepared, part: Response | None) -> None:
        request = Prepared("GET", read.url, prepared.headers)
        if part is None:
            missing = UnreadableResponse("a batch without a readable response to this request")
            unreadable = network_error(missing, read.url, prepared.request_id)
            self._fail(read, unreadable, is_alone=True)
        else:
            self._receive_one(read, request, part)

    def _fail_batch(self, reads: list[_Read[Any]], error: GraphError) -> None:
        """Handle the failure of a batch itself; what was not answered is asked for alone."""
        is_known = isinstance(error, CredentialRejected) or (
            isinstance(error, Transient) and error.code != "answer_unreadable"
        )
        for read in reads:
            if is_known or error.is_blocking_whole_run:
                self._fail(read, error)
            elif isinstance(error, Transient):
                self._fail(read, error, is_alone=True)
            else:
                # Graph refuses the batch and not its requests.
                read.is_alone = True
                self._waiting.append(read)

    def _fail(self, read: _Read[Any], error: GraphError, *, is_alone: bool = False) -> None:
        """Send a request again as soon as it may be, or give its error to the read."""
        self._is_throttled = self._is_throttled or error.code == "throttled"
        try:
            seconds = self._client.plan_retry(read.attempts, error)
        except GraphError:
            self._answer(read, error)
            return
        if seconds > self._pause:
            self._pause, self._pause_reason = seconds, wait_reason(error)
        read.is_alone = read.is_alone or is_alone
        self._waiting.append(read)

    def _succeed(self, read: _Read[Any], body: dict[str, Any]) -> None:
        self._client.note_success()
        self._allowed = min(float(self._parallel), self._allowed + 0.1)
        self._answer(read, body)

    def _answer(self, read: _Read[Any], response: dict[str, Any] | GraphError) -> None:
        read.known.append((read.url, response))
        self._advance(read)
