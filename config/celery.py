"""The Celery app, and the ticks of beat."""

import importlib
import os
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_shutdown,
    worker_ready,
)
from kombu.exceptions import OperationalError

from config.broker import install_transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")

install_transport()
app = Celery("runledger")
# Threads other than this one (gunicorn's, the publisher's) must find this app too.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

#: Retention runs once a day; it starts this soon after its time, or after an outage.
PRUNE_TICK_SECONDS = 900
INTEGRITY_TICK_SECONDS = 3600
DAY_SECONDS = 86_400
#: Expired sessions and sign-ins; each time removes what an hour added.
SIGN_IN_TICK_SECONDS = 3600
#: Late backups and expiring credentials are minutes old at most when they are sent.
CONDITION_TICK_SECONDS = 300
#: A tick that takes longer waits for a database that does not answer; the next one does its work.
TICK_LIMIT_SECONDS = 120


def beat_schedule(tick_seconds: int) -> dict[str, dict[str, Any]]:
    """Return what beat sends: ticks, which carry no data.

    They never expire: beat's clock would set the time and the worker's clock would judge it, so one
    wrong clock could stop every tick. A superfluous tick does nothing.
    """
    ticks = {
        "tick backup schedules": ("backups.tasks.tick_backup_schedules", tick_seconds),
        "close restores": ("restores.tasks.close_restores", tick_seconds),
        "relay queued runs": ("operations.tasks.relay_queued_runs", tick_seconds),
        "reconcile lost runs": ("operations.tasks.reconcile_runs", tick_seconds),
        "seal the audit log": ("audit.tasks.seal_audit_log", tick_seconds),
        "record changes": ("backups.tasks.record_missing_changes", tick_seconds),
        "renew redactions": ("backups.tasks.renew_redactions", PRUNE_TICK_SECONDS),
        "settle ended runs": ("operations.tasks.settle_runs", tick_seconds),
        "update metrics": ("operations.tasks.update_metrics", tick_seconds),
        "count the days of backups": ("backups.tasks.count_backup_days", PRUNE_TICK_SECONDS),
        "start today's retention": ("operations.tasks.prune_old_runs", PRUNE_TICK_SECONDS),
        "remove old audit entries": ("audit.tasks.remove_old_audit_entries", DAY_SECONDS),
        "handle events": ("notifications.tasks.handle_events", tick_seconds),
        "add conditions": ("notifications.tasks.add_conditions", CONDITION_TICK_SECONDS),
        "remove old events": ("notifications.tasks.remove_old_events", DAY_SECONDS),
        "remove old idempotency keys": ("api.tasks.remove_old_keys", DAY_SECONDS),
        "remove expired sign-ins": ("tenancy.tasks.remove_expired_sign_ins", SIGN_IN_TICK_SECONDS),
    }
    # Wait for servers of others, which can hang, so they have a queue and a worker apart from ticks.
    messages = {
        "send password resets": ("accounts.tasks.send_password_resets", tick_seconds),
        "send emails": ("notifications.tasks.send_emails", tick_seconds),
        "send webhooks": ("notifications.tasks.send_webhooks", tick_seconds),
    }
    options = {"queue": "ticks", "time_limit": TICK_LIMIT_SECONDS}
    message_options = {"queue": "notifications", "time_limit": TICK_LIMIT_SECONDS}
    # Reads a month of runs, so it must not delay ticks.
    check_options = {"queue": "default", "time_limit": INTEGRITY_TICK_SECONDS}
    check = {"task": "operations.tasks.check_ledger", "schedule": INTEGRITY_TICK_SECONDS}
    return {
        name: {"task": task, "schedule": seconds, "options": own_options}
        for tasks, own_options in ((ticks, options), (messages, message_options))
        for name, (task, seconds) in tasks.items()
    } | {"check the ledger": {**check, "options": check_options}}


@app.on_after_configure.connect
def _set_beat_schedule(sender: Celery, **_: object) -> None:
    from django.conf import settings

    sender.conf.beat_schedule = beat_schedule(settings.TICK_SECONDS)


@worker_init.connect
@beat_init.connect
def _run_preflight_checks(**_: object) -> None:
    from operations.maintenance.preflight import refuse_to_start

    refuse_to_start()


@worker_init.connect
def _require_processes(sender: Any, **_: object) -> None:
    """Refuse other pools: without a process for each run, a run cannot be stopped or claimed."""
    pool = sender.pool_cls if isinstance(sender.pool_cls, str) else sender.pool_cls.__module__
    if pool.rpartition(".")[2] not in ("prefork", "processes"):
        raise SystemExit(
            "Runledger does not start.\nIts workers need one process for each run: start the worker "
            "without --pool, or with --pool prefork."
        )


@beat_init.connect
def _send_first_ticks(**_: object) -> None:
    """Send every tick at start; beat would wait for a whole interval first."""
    with suppress(OperationalError):
        for entry in app.conf.beat_schedule.values():
            app.send_task(entry["task"], retry=False, **entry["options"])


@worker_ready.connect
def _use_soft_shutdown_for_sigterm(sender: Any, **_: object) -> None:
    """Make SIGTERM, which every supervisor sends, wait for running work for a limited time.

    Celery does that on SIGQUIT. Its SIGTERM waits for all work, until the supervisor kills the
    process and the runs are lost. A second SIGTERM ends running work at once.
    """
    worker: Any = importlib.import_module("celery.apps.worker")

    def stop_softly(stopping: Any) -> None:
        worker.install_worker_term_hard_handler(
            stopping, sig="SIGTERM", callback=worker.during_soft_shutdown
        )
        worker.on_cold_shutdown(stopping)

    worker.install_worker_term_hard_handler(sender.controller, sig="SIGTERM", callback=stop_softly)


@worker_process_shutdown.connect
def _send_last_spans(**_: object) -> None:
    """Send the spans that are still in memory: a process of a worker runs no exit handlers."""
    from telemetry import tracing

    tracing.end_process()


@worker_init.connect
def keep_connections(**_: object) -> None:
    """Leave the connections of a task to `_drop_broken_connections`.

    Celery would close them before and after each task or once in a number of tasks, and those of
    the caches, which have none.
    """
    fixups: Any = app._fixups  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public name
    for fixup in fixups:
        task_prerun.disconnect(fixup.worker_fixup.on_task_prerun)
        task_postrun.disconnect(fixup.worker_fixup.on_task_postrun)


@task_prerun.connect
def _drop_broken_connections(task: Any, **_: object) -> None:
    """Close a connection that is old, broke since the last task, or was left in a transaction."""
    from tenancy.db import close_unless_idle, renew_connections

    if not task.request.is_eager:
        close_unless_idle()
    renew_connections()
