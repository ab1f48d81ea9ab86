#!/usr/bin/env bash
# Celery 5.6.3: the processes of the prefork pool run no exit handlers (atexit) when they end.
#
# Libraries send what they have buffered at exit: the SDK of OpenTelemetry its last spans, Prometheus'
# push gateways and loggers theirs. A worker that is asked to stop ends its processes softly, so a good
# guess is that they exit as any Python program does. billiard 4.3.2 ends each with os._exit: functions
# registered with atexit in a process are not called, and what was recorded since the last batch is
# lost. The signal worker_process_shutdown is sent before.
#
# A task registers both in the process that executes it; then the worker gets SIGTERM. The messages are
# files of kombu 5.7.0; there is no server.
#
# Seen:
#   atexit in the process: not called
#   worker_process_shutdown in the process: called
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  celery==5.6.3 kombu==5.7.0 billiard==4.3.2 packaging==26.3
cat >"$folder/demo.py" <<'PYTHON'
import atexit
import pathlib

from celery import Celery
from celery.signals import worker_process_shutdown

folder = pathlib.Path(__file__).parent
messages = folder / "messages"
messages.mkdir(exist_ok=True)
app = Celery("demo", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(folder / "control"),
    },
    task_ignore_result=True,
)


@app.task
def register():
    atexit.register((folder / "atexit").touch)
    worker_process_shutdown.connect(lambda **_: (folder / "signal").touch(), weak=False)
    (folder / "registered").touch()
PYTHON
cd "$folder"
export C_FORCE_ROOT=1
venv/bin/celery -A demo worker --concurrency 1 --without-gossip --without-mingle \
  --without-heartbeat >worker.log 2>&1 &
worker=$!
trap 'kill -9 $worker 2>/dev/null || true; rm -rf "$folder"' EXIT
venv/bin/python -c 'import demo; demo.register.delay()'
for _ in $(seq 600); do [ -e registered ] && break; sleep 0.1; done
[ -e registered ] || { cat worker.log; exit 1; }
kill -TERM $worker
wait $worker || true
called() { if [ -e "$1" ]; then echo called; else echo not called; fi; }
echo "atexit in the process: $(called atexit)"
echo "worker_process_shutdown in the process: $(called signal)"
[ ! -e atexit ] && [ -e signal ]
