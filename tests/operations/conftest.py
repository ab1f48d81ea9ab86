"""Fixtures of the ledger's tests: the service, a broker of one's own, handlers put in for a test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from celery import Celery

from config import celery as project
from dev.services.valkey import Valkey
from operations import catalog, handlers
from operations.catalog import CatalogEntry, Scope
from operations.delivery import publisher
from operations.services import OperationRunService
from operations.types import OperationRunType

if TYPE_CHECKING:
    from pytest_django import Settings

    from operations.handlers import Handler

RUN_NOW = OperationRunType.BACKUP_SCHEDULE_RUN_NOW


@pytest.fixture
def service() -> OperationRunService:
    return OperationRunService()


class Broker:
    """A Valkey of the test's own, which may be stopped, frozen and looked into."""

    def __init__(self, folder: Path) -> None:
        self._server = Valkey(folder, durable=False).start()
        self.url = self._server.url()
        self.socket = self._server.socket

    def waiting(self, queue: str = "backup") -> int:
        """How many messages wait in a queue."""
        with self._server.client() as client:
            return int(client.llen(queue))

    def dump(self) -> str:
        """Everything that the broker holds, as text."""
        with self._server.client() as client:
            return "".join(str(client.dump(key)) for key in client.keys("*"))

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def fill(self) -> None:
        """Take no more messages: the memory is full."""
        with self._server.client() as client:
            client.config_set("maxmemory", "1")

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        with self._server.client() as client:
            client.config_set(name, value)

    def stop(self) -> None:
        self.thaw()
        self._server.stop()

    def kill(self) -> None:
        """End it without a word; what it held is gone."""
        assert self._server.process
        self._server.process.kill()
        self._server.process.wait()
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._server.process and self._server.process.poll() is None:
            os.kill(self._server.process.pid, number)


UseBroker = Callable[[str], None]


@pytest.fixture
def use_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[UseBroker]:
    """Send messages to another broker, from a Celery app and a publisher without a past."""

    def use(url: str) -> None:
        settings.CELERY_BROKER_URL = url
        app = Celery("test", set_as_current=False)
        app.config_from_object("django.conf:settings", namespace="CELERY")
        app.set_default()
        app.set_current()
        monkeypatch.setattr(publisher, "_publisher", publisher.Publisher())
        publisher.warm_up()

    yield use
    project.app.set_default()
    project.app.set_current()


@pytest.fixture
def broker(tmp_path: Path, use_broker: UseBroker) -> Iterator[Broker]:
    own = Broker(tmp_path)
    use_broker(own.url)
    yield own
    own.stop()


@pytest.fixture
def no_broker(tmp_path: Path, use_broker: UseBroker) -> None:
    """A broker's address at which nobody listens."""
    use_broker(f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a function do the work of a type for the time of the test."""

    def put_in(handler: Handler, run_type: OperationRunType = RUN_NOW) -> None:
        monkeypatch.setitem(handlers._HANDLERS, run_type, handler)

    return put_in


@pytest.fixture
def catalogd(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CatalogEntry]:
    """Change a type's catalog entry for the time of the test."""

    def change(run_type: OperationRunType = RUN_NOW, **changes: object) -> CatalogEntry:
        entry = replace(catalog._ENTRIES[run_type], **changes)  # type: ignore[arg-type]
        monkeypatch.setitem(catalog._ENTRIES, run_type, entry)
        return entry

    return change


@pytest.fixture
def workspace_scoped(catalogd: Callable[..., CatalogEntry]) -> OperationRunType:
    """A type whose runs belong to a workspace."""
    catalogd(scope=Scope.WORKSPACE)
    return RUN_NOW
