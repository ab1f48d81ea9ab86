"""Beat sends its ticks whatever the clocks of its host and of the workers show."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.db import connection

from config import celery as project
from config.beat import Scheduler
from dev.services.processes import spawn
from operations.maintenance import health
from tests.support.broker import Broker
from tests.support.customer import MakeStack
from tests.support.stack import ROOT, Stack, eventually

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def scheduler(broker: Broker, tmp_path: Path) -> Iterator[Scheduler]:
    """Beat's scheduler, with the file that stores when each entry was last sent."""
    app: Any = current_app
    app.conf.beat_schedule = project.beat_schedule(30)
    scheduler_under_test = Scheduler(app=app, schedule_filename=str(tmp_path / "beat"))
    yield scheduler_under_test
    scheduler_under_test.close()


def send_due_entries(scheduler: Scheduler) -> float:
    """Send every due entry; return the seconds until the next one is due."""
    while not (rest := scheduler.tick()):
        pass
    return rest


def test_beat_continues_when_the_clock_is_set_back(scheduler: Scheduler, broker: Broker) -> None:
    began = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
    entries = project.beat_schedule(30).values()
    frequent = [entry["options"]["queue"] for entry in entries if entry["schedule"] == 30]
    with time_machine.travel(began + dt.timedelta(seconds=31), tick=False):
        send_due_entries(scheduler)
    before = {queue: broker.waiting(queue) for queue in set(frequent)}

    with time_machine.travel(began - HOUR, tick=False):
        assert send_due_entries(scheduler) <= 30
    with time_machine.travel(began - HOUR + dt.timedelta(seconds=31), tick=False):
        send_due_entries(scheduler)

    for queue, waiting in before.items():
        assert broker.waiting(queue) == waiting + frequent.count(queue)


def test_every_periodic_task_has_its_queue_and_a_time_limit() -> None:
    """What waits for a server of others does not share a queue with ticks."""
    for name, entry in project.beat_schedule(30).items():
        queue = "notifications" if name.startswith("send ") else "ticks"
        assert entry["options"]["queue"] == ("default" if name == "check the ledger" else queue)
        assert 0 < entry["options"]["time_limit"] <= 3600


def start_beat_with_wrong_clock(stack: Stack, seconds: int) -> None:
    command = [
        sys.executable,
        "-m",
        "dev.chaos.beat",
        str(seconds),
        "-s",
        str(stack.folder / "beat"),
    ]
    with (stack.folder / "beat.log").open("ab") as log:
        process = spawn(command, output=log.fileno(), cwd=ROOT, env=dict(stack.environment))
    stack.processes.append(process)


@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [-300, 86400])
def test_a_single_beat_with_a_wrong_clock_sends_ticks(make_stack: MakeStack, seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM operation_ticks")
    stack = make_stack(TICK_SECONDS="2")
    stack.start_worker()

    start_beat_with_wrong_clock(stack, seconds)

    eventually(lambda: health.check_health()["checks"]["scheduler"] == "ok", what="a tick")
