"""Spans of a trace, if the standard variables OTEL_* ask for traces.

Without them nothing of OpenTelemetry is imported, and every function here returns at once. A span has
ids and types, never a name, a secret or the query of an address.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from telemetry.spans import Attributes, NoSpan, Span


def are_requested(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces: an address or an exporter, and the SDK is not disabled."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    addresses = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter != "none" and bool(exporter or any(map(environment.get, addresses)))


#: Whether this process records spans.
ENABLED = are_requested(os.environ)

NO_SPAN: Span = NoSpan()
_NOTHING = nullcontext(NO_SPAN)


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: str = "internal",
    parent: Any = None,
    start: int = 0,
) -> AbstractContextManager[Span]:
    """Return a span for a `with` block, a child of the span in whose block this is called.

    Args:
        name: what happens, in a few words with few different values.
        attributes: None stands for one that is left out.
        kind: “internal”, “server”, “client”, “producer” or “consumer”.
        parent: a `traceparent`, or what `current` returned in another thread.
        start: when it began, as `now` returned it; by default now.
    """
    if not ENABLED:
        return _NOTHING
    from telemetry import recording  # noqa: PLC0415

    return recording.span(name, attributes or {}, kind, parent, start)


def start_span(name: str, attributes: Attributes, *, link: str = "") -> Span:
    """Return a span of the kind “producer” that is no block; it is ended by `end`.

    `link` is the `traceparent` of another trace to which it refers.
    """
    if not ENABLED:
        return NO_SPAN
    from telemetry import recording  # noqa: PLC0415

    return recording.start_span(name, attributes, link)


@contextmanager
def spans(name: str, load: Callable[[], Iterable[tuple[str, Attributes]]]) -> Iterator[None]:
    """Record a block as a span of several traces.

    `load` returns the `traceparent` and the attributes of each; it is not called without traces.
    """
    if not ENABLED:
        yield
        return
    with ExitStack() as stack:
        for parent, attributes in load():
            if parent:
                stack.enter_context(span(name, attributes, kind="producer", parent=parent))
        yield


def now() -> int:
    """Return the time for `start` of a span; 0 without traces."""
    if not ENABLED:
        return 0
    from telemetry import recording  # noqa: PLC0415

    return recording.now()


def current() -> Any:
    """Return where the trace of this thread continues, for `parent` in another thread."""
    if not ENABLED:
        return None
    from telemetry import recording  # noqa: PLC0415

    return recording.current()


def trace_id() -> str:
    """Return the id of the trace of this thread; empty outside of a span."""
    if not ENABLED:
        return ""
    from telemetry import recording  # noqa: PLC0415

    return recording.trace_id()


def add_trace_id(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add the id of the trace to a line of the log."""
    if current_id := trace_id():
        event["trace_id"] = current_id
    return event


def end_process() -> None:
    """Send what this process has recorded; a collector that does not answer is not waited for."""
    if ENABLED:
        from telemetry import recording  # noqa: PLC0415

        recording.end_process()
