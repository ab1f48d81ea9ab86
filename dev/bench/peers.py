"""The same task that does nothing in other tracked queues; `dev.bench.throughput` runs this file.

It runs in a separate environment (`PEERS` in `throughput.py`) and never imports the product.
"""

from __future__ import annotations

import os
import sys

import django
from celery import Celery
from django.conf import settings

DATABASE = dict(item.split("=", 1) for item in os.environ["PEER_DATABASE"].split())
BROKER = os.environ["PEER_BROKER"]

settings.configure(
    SECRET_KEY="bench",  # noqa: S106 - nothing is signed
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django_celery_results",
        "django_tasks",
        "django_tasks_db",
        "procrastinate.contrib.django",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE["dbname"],
            "USER": DATABASE["user"],
            "HOST": DATABASE["host"],
            "PORT": DATABASE.get("port", ""),
            "CONN_MAX_AGE": None,
        }
    },
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
    CELERY_TASK_DEFAULT_QUEUE="results",
    CELERY_RESULT_BACKEND="django-db",
    CELERY_TASK_TRACK_STARTED=True,
    CELERY_RESULT_EXTENDED=True,
)
django.setup()

from django.core.management import execute_from_command_line  # noqa: E402
from django_tasks import task  # noqa: E402
from procrastinate.contrib.django import app as procrastinate_app  # noqa: E402

bare = Celery("bare", broker=BROKER)
bare.conf.update(task_default_queue="bare", task_ignore_result=True)
results = Celery("results", broker=BROKER)
results.config_from_object("django.conf:settings", namespace="CELERY")


@bare.task(name="bare")
def do_nothing_bare() -> None:
    """Do nothing."""


@results.task(name="results")
def do_nothing_with_result() -> None:
    """Do nothing; django-celery-results records it."""


@procrastinate_app.task(name="procrastinate")
def do_nothing_procrastinate() -> None:
    """Do nothing; procrastinate records it."""


@task()
def do_nothing_task() -> None:
    """Do nothing; django-tasks records it."""


ENQUEUE = {
    "bare": do_nothing_bare.delay,
    "results": do_nothing_with_result.delay,
    "procrastinate": do_nothing_procrastinate.defer,
    "tasks": do_nothing_task.enqueue,
}


if __name__ == "__main__":
    if sys.argv[1] == "enqueue":
        for _ in range(int(sys.argv[3])):
            ENQUEUE[sys.argv[2]]()
    else:
        execute_from_command_line(sys.argv)
