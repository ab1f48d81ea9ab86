#!/usr/bin/env bash
# redis 8.1.0: importing it loads the metrics of the OpenTelemetry SDK wherever that is installed.
#
# Its metrics are off until a program configures them, so a good guess is that the SDK is loaded then.
# redis.observability.providers tries to import opentelemetry.sdk.metrics at the top of the module,
# and the client imports that module. A program that installs the SDK for its traces, and leaves them
# off by default, loads dozens of its modules in every process that uses Redis: here some 50 ms of CPU
# and 4 MB each.
#
# No server is needed. With opentelemetry-sdk 1.45.2.
#
# Seen:
#   modules of OpenTelemetry before: 0
#   after "import redis": opentelemetry.sdk.metrics is loaded, opentelemetry.sdk.trace is not
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  redis==8.1.0 opentelemetry-sdk==1.45.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

before = sum(name.startswith("opentelemetry") for name in sys.modules)
print("modules of OpenTelemetry before:", before)
import redis

loaded = {name: name in sys.modules for name in ("opentelemetry.sdk.metrics", "opentelemetry.sdk.trace")}
words = [f"{name} is {'loaded' if is_loaded else 'not'}" for name, is_loaded in loaded.items()]
print('after "import redis":', ", ".join(words))
assert not before
assert list(loaded.values()) == [True, False], loaded
PYTHON
