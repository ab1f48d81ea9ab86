#!/usr/bin/env bash
# opentelemetry-sdk 1.45.2: force_flush(timeout_millis) of the batch processor ignores its timeout.
#
# BatchSpanProcessor.force_flush has a parameter timeout_millis, "the maximum amount of time to wait".
# It calls the exporter in the calling thread and returns when that does, so a process that flushes
# before it ends waits for as long as the exporter does, whatever it asks for. OTLPSpanExporter waits
# OTEL_EXPORTER_OTLP_TIMEOUT, ten seconds by default; here it is three.
#
# A collector accepts connections and never answers; a span is flushed with a timeout of 100 ms.
# With opentelemetry-exporter-otlp-proto-http 1.45.2.
#
# Seen:
#   force_flush(timeout_millis=100) took 3 s
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
OTEL_EXPORTER_OTLP_TIMEOUT=3 "$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON'
import socket
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

with socket.create_server(("127.0.0.1", 0)) as server:
    address = f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces"
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=address))
    provider.add_span_processor(processor)
    provider.get_tracer("demo").start_span("span").end()
    started = time.monotonic()
    processor.force_flush(timeout_millis=100)
    seconds = time.monotonic() - started
print(f"force_flush(timeout_millis=100) took {seconds:.0f} s")
assert seconds > 2, seconds
PYTHON
