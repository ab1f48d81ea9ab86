"""A broker for one test that can be stopped, frozen and inspected."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from pytest_django import Settings

from config import celery as project
from dev.services.valkey import Valkey
from operations.delivery import publisher


class Broker:
    """A Valkey server for one test that can be stopped, frozen and inspected."""

    def __init__(self, folder: Path, **options: str) -> None:
        self._server = Valkey(folder, durable=False, **options).start()
        self.url = self._server.url()
        self.socket = self._server.socket

    def waiting(self, queue: str = "backup") -> int:
        """Return the number of messages in a queue."""
        with self._server.client() as client:
            return int(client.llen(queue))

    def dump(self) -> str:
        """Return all contents of the broker as text."""
        with self._server.client() as client:
            return "".join(str(client.dump(key)) for key in client.keys("*"))

    def execute(self, *command: str) -> Any:
        """Return the server's reply to a command."""
        with self._server.client() as client:
            return client.execute_command(*command)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def fill(self) -> None:
        """Make the broker refuse messages because its memory is full."""
        self.configure("maxmemory", "1")

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.execute("CONFIG", "SET", name, value)

    def stop(self) -> None:
        self.thaw()
        self._server.stop()

    def kill(self) -> None:
        """Kill the server; its messages are lost."""
        assert self._server.process
        self._server.process.kill()
        self._server.process.wait()
        self._server.stop()

    def start(self, *, wait: bool = True) -> None:
        """Start the server; wait until it responds, unless `wait` is false."""
        self._server.start(wait=wait)

    def _signal(self, number: signal.Signals) -> None:
        if self._server.process and self._server.process.poll() is None:
            os.kill(self._server.process.pid, number)


UseBroker = Callable[[str], None]


@pytest.fixture
def use_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[UseBroker]:
    """Return a function that makes a new Celery app and publisher use another broker."""

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
    broker = Broker(tmp_path)
    use_broker(broker.url)
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for a server that the tests of a module share; they do not use it themselves."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()


@pytest.fixture
def no_broker(tmp_path: Path, use_broker: UseBroker) -> None:
    """Use the address of a broker that is not running."""
    use_broker(f"redis+socket://{tmp_path}/missing.sock?virtual_host=0")
