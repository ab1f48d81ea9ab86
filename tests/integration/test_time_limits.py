"""The time limits of running tasks outlive the connection to the broker."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from celery import Celery

from dev.services.processes import spawn, stop
from tests.support.broker import Broker
from tests.support.stack import ROOT, eventually

pytestmark = pytest.mark.integration

#: Tasks that note in a file when they are interrupted, and go on.
TASKS = """
import os, time
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

app = Celery(broker=os.environ["BROKER"])
app.conf.update(
    worker_consumer="config.consumer:Consumer", task_acks_late=True, task_ignore_result=True
)

@app.task(name="hang")
def hang(path):
    with open(path, "a", buffering=1) as notes:
        started = time.monotonic()
        notes.write(f"started by {os.getpid()}\\n")
        while True:
            try:
                time.sleep(60)
            except SoftTimeLimitExceeded:
                notes.write(f"interrupted after {time.monotonic() - started:.0f} s\\n")
"""


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_time_limits_outlive_the_connection(tmp_path: Path, broker: Broker) -> None:
    """One task is interrupted before the loss and not again; the other one after it."""
    (tmp_path / "tasks.py").write_text(TASKS)
    early, late = tmp_path / "early", tmp_path / "late"
    environment = {"BROKER": broker.url, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with (tmp_path / "worker.log").open("wb") as log:
        worker = spawn(
            [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2"],
            output=log.fileno(), cwd=tmp_path, env=os.environ | environment,
        )  # fmt: skip
    try:
        with Celery(broker=broker.url) as app:
            app.send_task("hang", [str(early)], soft_time_limit=1, time_limit=24)
            app.send_task("hang", [str(late)], soft_time_limit=10, time_limit=20)
        eventually(lambda: lines(late) and len(lines(early)) == 2, what="the first interruption")
        process = int(lines(late)[0].split()[-1])

        broker.kill()
        time.sleep(1)
        broker.start()

        eventually(lambda: not is_running(process), what="the end of the process at its hard limit")
        (interruption,) = lines(late)[1:]
        assert 10 <= int(interruption.split()[-2]) <= 20
        assert len(lines(early)) == 2
        process = int(lines(early)[0].split()[-1])
        eventually(lambda: not is_running(process), what="the end of the other process")
    finally:
        stop(worker, grace=2)
