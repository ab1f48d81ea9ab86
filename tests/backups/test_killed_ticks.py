"""Five ticking processes with different clocks, killed at random: one run for every slot."""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from operations.models import OperationRun
from tenancy.db import database_now
from tenancy.models import Tenant
from tests.support.broker import Broker
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.stack import ROOT, database_url

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

CLOCKS = (-300, -150, 0, 150, 300)
SCHEDULES = 150
SLOTS_BEHIND = 4
TICKING = """
import datetime as dt, sys, time
import time_machine
offset = dt.timedelta(seconds=float(sys.argv[1]))
with time_machine.travel(dt.datetime.now(dt.UTC) + offset, tick=True):
    import django; django.setup()
    from backups import tick
    print("ticking", flush=True)
    while True:
        tick.tick(limit=7)
"""


class Ticker:
    """A process that ticks until it is killed, and can be started again."""

    def __init__(self, offset: int, environment: dict[str, str], output_path: Path) -> None:
        self._offset, self._environment = offset, environment
        self._output_path = output_path
        self.kills = -1
        self.start()

    def start(self) -> None:
        self.kills += 1
        with self._output_path.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", TICKING, str(self._offset)],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=subprocess.DEVNULL,
            )

    @property
    def is_ticking(self) -> bool:
        """Whether the process has started to tick; on a slow machine that takes seconds."""
        return self._output_path.stat().st_size > 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def tickers(broker: Broker, tmp_path: Path) -> Iterator[list[Ticker]]:
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker.url,
        "RUNLEDGER_FAILPOINTS": "tick.before_next_slots:0.05;tick.before_commit:0.05",
    }
    processes = [Ticker(offset, environment, tmp_path / f"{offset}") for offset in CLOCKS]
    yield processes
    for ticker in processes:
        ticker.kill()


def count_due() -> int:
    return BackupSchedule.objects.filter(next_run_at__lte=database_now()).count()


def test_every_slot_has_one_run_with_many_schedulers_that_are_killed(
    tenant: Tenant, tickers: list[Ticker]
) -> None:
    random_source = random.Random(5)
    now = database_now().replace(second=0, microsecond=0)
    for number in range(SCHEDULES):
        BackupScheduleFactory(
            tenant=tenant,
            name=f"Schedule {number}",
            cron="* * * * *",
            due=now - SLOTS_BEHIND * dt.timedelta(minutes=1),
            misfire_grace=dt.timedelta(hours=1),
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE backup_schedules SET updated_at = %s", [now - dt.timedelta(minutes=5)]
        )

    deadline = time.monotonic() + 300
    while (
        (due := count_due()) or sum(ticker.kills for ticker in tickers) < 5
    ) and time.monotonic() < deadline:
        time.sleep(random_source.uniform(0.05, 0.3))
        ticker = random_source.choice(tickers)
        is_dead = ticker.process.poll() is not None
        if is_dead or (ticker.is_ticking and random_source.random() < 0.3):
            ticker.kill()
            ticker.start()

    runs = OperationRun.objects.filter(type="backup_schedule.scheduled")
    slots = Counter(
        (run.context["backup_schedule_id"], run.context["scheduled_for"]) for run in runs
    )
    assert due == 0  # in the next minute, the next slots are due
    assert max(slots.values()) == 1
    assert len({schedule for schedule, _ in slots}) == SCHEDULES
    assert unexplained_schedules() == []
    assert all("Z" in run.context["scheduled_for"] for run in runs)
    latest = max(slot for _, slot in slots)
    assert latest <= f"{database_now():%Y-%m-%dT%H:%MZ}", "only the clock of the database counts"
