"""A time limit that strikes anywhere in a transaction leaves a connection that can be used."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from operations.models import OperationRun
from operations.states import RunOutcome
from operations.worker import execution
from operations.worker.active_run import ActiveRun
from tenancy.db import close_unless_idle
from tenancy.models import Tenant
from tests.support.concurrency import backend_pid, racing_threads
from tests.support.factories import TenantFactory
from tests.support.factories.operations import create_queued_run
from tests.support.stack import eventually

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

UseHandler = Callable[..., None]


@pytest.fixture(autouse=True)
def soft_limit(transactional_db: None) -> Iterator[None]:
    """Raise the exception of a soft time limit at a signal, as the pool of Celery does."""

    def raise_limit(number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGUSR1, raise_limit)
    yield
    signal.signal(signal.SIGUSR1, before)
    # Django closes the connection of an interrupted transaction without cancelling its statement.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


class Interrupting(list[Any]):
    """A list of Django's transactions, in which a signal arrives."""

    def pop(self, *args: Any) -> Any:
        interrupt()
        return super().pop(*args)


class InterruptingAfter(list[Any]):
    def append(self, item: Any) -> None:
        super().append(item)
        interrupt()


def in_a_statement() -> None:
    pid = backend_pid()

    def wait_and_interrupt() -> None:
        try:
            with connection.cursor() as cursor:

                def sleeps() -> bool:
                    cursor.execute("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", [pid])
                    return bool(cursor.fetchone()[0] == "PgSleep")

                eventually(sleeps, what="the statement")
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        finally:
            connection.close()

    thread = threading.Thread(target=wait_and_interrupt)
    thread.start()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
    finally:
        thread.join()


def in_a_statement_of_a_transaction() -> None:
    with transaction.atomic():
        in_a_statement()


def at_the_begin() -> None:
    connection.atomic_blocks = InterruptingAfter()
    with transaction.atomic():
        pass


def at_the_end() -> None:
    connection.atomic_blocks = Interrupting()
    with transaction.atomic():
        backend_pid()


def at_the_end_of_a_savepoint() -> None:
    with transaction.atomic():
        connection.atomic_blocks = Interrupting(connection.atomic_blocks)
        with transaction.atomic():
            backend_pid()


def before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_commit", interrupt)
    with transaction.atomic():
        backend_pid()


def in_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_commit", in_a_statement)
    with transaction.atomic():
        backend_pid()


def after_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    own: Any = connection
    commit = own._commit

    def commit_first() -> None:
        commit()
        interrupt()

    monkeypatch.setattr(connection, "_commit", commit_first)
    with transaction.atomic():
        backend_pid()


PLACES = [
    *(in_a_statement, in_a_statement_of_a_transaction, at_the_begin, at_the_end),
    *(at_the_end_of_a_savepoint, before_the_commit, in_the_commit, after_the_commit),
]


def stored(*runs: OperationRun) -> list[tuple[str, list[str]]]:
    """Return outcomes and codes of the runs, as another process sees them."""
    with racing_threads(1) as others:
        ids = [run.pk for run in runs]
        rows = others.race([lambda: [OperationRun.objects.get(pk=pk) for pk in ids]])[0]
    return [(row.outcome, [cause["code"] for cause in row.failures]) for row in rows]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_the_run_and_the_next_one_end_after_an_interruption(
    use_handler: UseHandler, monkeypatch: pytest.MonkeyPatch, place: Callable[..., None]
) -> None:
    tenant: Tenant = TenantFactory()
    interrupted = create_queued_run(tenant, 1)
    following = create_queued_run(tenant, 2)

    def backup(active: ActiveRun) -> None:
        with monkeypatch.context() as patch:
            place(*([patch] if place.__code__.co_argcount else []))

    use_handler(backup)
    execution.execute(interrupted.pk)
    use_handler(lambda active: None)
    close_unless_idle()
    execution.execute(following.pk)

    assert stored(interrupted, following) == [
        (RunOutcome.FAILED, ["time_limit_exceeded"]),
        (RunOutcome.SUCCEEDED, []),
    ]
