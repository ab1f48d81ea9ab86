"""Records spans with the SDK of OpenTelemetry and sends them with OTLP over HTTP.

Each process has its own provider. A forked child starts without one, so that no thread, queue or
connection of its parent is used by two processes.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry.spans import Attributes, Span

#: A process that ends waits this long for its last spans to be sent.
END_SECONDS = 2.0

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_lock = threading.Lock()
_provider: TracerProvider | None = None
_current_tracer: trace.Tracer | None = None


def _tracer() -> trace.Tracer:
    global _provider, _current_tracer  # noqa: PLW0603 - one for each process
    if _current_tracer:
        return _current_tracer
    with _lock:
        if _provider is None:
            names = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or "runledger"}
            _provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
            _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
            atexit.register(end_process)
        _current_tracer = _provider.get_tracer("runledger")
        return _current_tracer


def _forget() -> None:
    global _lock, _provider, _current_tracer
    _lock, _provider, _current_tracer = threading.Lock(), None, None


os.register_at_fork(after_in_child=_forget)


def end_process() -> None:
    """Send the last spans; the thread that sends them does not keep the process alive."""
    global _provider, _current_tracer
    ending, _provider, _current_tracer = _provider, None, None
    if ending:
        sender = threading.Thread(target=ending.shutdown, name="last spans", daemon=True)
        sender.start()
        sender.join(END_SECONDS)


class _Recorded:
    """A span of the SDK."""

    def __init__(self, recorded: trace.Span) -> None:
        self._recorded = recorded

    @property
    def trace_parent(self) -> str:
        own = self._recorded.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def set(self, attributes: Attributes) -> None:
        self._recorded.set_attributes(_known(attributes))

    def rename(self, name: str) -> None:
        self._recorded.update_name(name)

    def end(self) -> None:
        self._recorded.end()


def _known(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _span_context(trace_parent: str) -> SpanContext:
    _, trace_id, span_id, flags = trace_parent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )


def _context_of(parent: Any) -> context.Context | None:
    """Return the context of a parent; None for the current one."""
    if isinstance(parent, str):
        if not parent:
            return None
        remote = trace.NonRecordingSpan(_span_context(parent))
        return trace.set_span_in_context(remote, context.Context())
    return parent  # type: ignore[no-any-return]


@contextmanager
def span(name: str, attributes: Attributes, kind: str, parent: Any, start: int) -> Iterator[Span]:
    """See `telemetry.tracing.span`. An error is recorded by the name of its type."""
    outer = _context_of(parent)
    recorded = _tracer().start_span(
        name, outer, kind=_KINDS[kind], attributes=_known(attributes), start_time=start or None
    )
    token = context.attach(trace.set_span_in_context(recorded, outer))
    try:
        yield _Recorded(recorded)
    except BaseException as error:
        recorded.set_attribute("error.type", type(error).__name__)
        recorded.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        context.detach(token)
        recorded.end()


def start_span(name: str, attributes: Attributes, link: str) -> Span:
    """See `telemetry.tracing.start_span`."""
    links = [Link(_span_context(link))] if link else []
    return _Recorded(
        _tracer().start_span(
            name, kind=SpanKind.PRODUCER, attributes=_known(attributes), links=links
        )
    )


def now() -> int:
    """Return the time of this host, which the times of all spans are."""
    return time.time_ns()


def current() -> context.Context:
    """Return the context of this thread."""
    return context.get_current()


def trace_id() -> str:
    """Return the id of the current trace; empty outside of a span."""
    own = trace.get_current_span().get_span_context()
    return f"{own.trace_id:032x}" if own.is_valid else ""
