"""The Celery app, and the ticks of beat."""

import importlib
import os
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_init, worker_ready
from kombu.exceptions import OperationalError

from config.broker import use_this_transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")

use_this_transport()
app = Celery("runledger")
# Threads other than this one (gunicorn's, the publisher's) must find this app too.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

#: Retention runs once a day; this is how soon after its turn, or after an outage, it starts.
PRUNE_TICK_SECONDS = 900
INTEGRITY_TICK_SECONDS = 3600
#: A tick that takes longer hangs, in a database that does not answer; the next one does its work.
TICK_LIMIT_SECONDS = 120


def beat_schedule(tick_seconds: int) -> dict[str, dict[str, Any]]:
    """What beat sends: wake-ups only.

    They never expire: that would be told by beat's clock and judged by the worker's, and with one of
    them wrong no tick would ever be done. One too many finds nothing to do.
    """
    ticks = {
        "tick backup schedules": ("backups.tasks.tick_backup_schedules", tick_seconds),
        "close restores": ("restores.tasks.close_restores", tick_seconds),
        "relay queued runs": ("operations.tasks.relay_queued_runs", tick_seconds),
        "reconcile lost runs": ("operations.tasks.reconcile_runs", tick_seconds),
        "start today's retention": ("operations.tasks.prune_old_runs", PRUNE_TICK_SECONDS),
    }
    options = {"queue": "ticks", "time_limit": TICK_LIMIT_SECONDS}
    # Looks at a month of runs, for which no tick shall wait.
    patient = {"queue": "default", "time_limit": INTEGRITY_TICK_SECONDS}
    check = {"task": "operations.tasks.check_ledger", "schedule": INTEGRITY_TICK_SECONDS}
    return {
        name: {"task": task, "schedule": seconds, "options": options}
        for name, (task, seconds) in ticks.items()
    } | {"check the ledger": {**check, "options": patient}}


@app.on_after_configure.connect
def _set_beat_schedule(sender: Celery, **_: object) -> None:
    from django.conf import settings

    sender.conf.beat_schedule = beat_schedule(settings.TICK_SECONDS)


@worker_init.connect
@beat_init.connect
def _look_before_the_start(**_: object) -> None:
    from operations.maintenance.preflight import refuse_to_start

    refuse_to_start()


@beat_init.connect
def _tick_at_once(**_: object) -> None:
    """Beat's first tick would come a whole interval after its start."""
    with suppress(OperationalError):
        for entry in app.conf.beat_schedule.values():
            app.send_task(entry["task"], retry=False, **entry["options"])


@worker_ready.connect
def _give_work_its_time_at_sigterm(sender: Any, **_: object) -> None:
    """Make SIGTERM, which every supervisor sends, the stop that waits for work only for so long.

    Celery has that stop on SIGQUIT. Its SIGTERM waits for all work, until the supervisor kills
    everything and the runs are lost. A second SIGTERM ends what runs at once.
    """
    worker: Any = importlib.import_module("celery.apps.worker")

    def stop_softly(stopping: Any) -> None:
        worker.install_worker_term_hard_handler(
            stopping, sig="SIGTERM", callback=worker.during_soft_shutdown
        )
        worker.on_cold_shutdown(stopping)

    worker.install_worker_term_hard_handler(sender.controller, sig="SIGTERM", callback=stop_softly)


@task_prerun.connect
def _drop_broken_connections(**_: object) -> None:
    """A worker keeps its connection between tasks; after a restart of Postgres it needs another."""
    from django.db import close_old_connections

    close_old_connections()
