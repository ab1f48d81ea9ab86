"""A worker does not wait forever for a broker that says nothing."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from redis.exceptions import TimeoutError as BrokerTimeout

from config.broker import install_transport
from dev.services.processes import spawn, stop
from tests.support.broker import Broker
from tests.support.stack import ROOT, eventually

pytestmark = pytest.mark.integration

#: A worker whose transport counts a message as in progress that no process works on.
TASKS = """
import os, pathlib
from celery import Celery
from config import consumer
from config.broker import install_transport

install_transport()
consumer.SILENCE_SECONDS = 3
register = consumer.Consumer.register_with_event_loop
connections = []

def register_with_event_loop(self, hub):
    register(self, hub)
    connections.append(hub)
    if len(connections) == 1:
        self.task_consumer.channel.qos._delivered["unknown"] = None
        pathlib.Path("ready").touch()

consumer.Consumer.register_with_event_loop = register_with_event_loop
app = Celery(broker=os.environ["BROKER"])
app.conf.update(
    worker_consumer="config.consumer:Consumer", task_acks_late=True, task_ignore_result=True,
    worker_prefetch_multiplier=1,
)

@app.task(name="note")
def note(path):
    pathlib.Path(path).touch()
"""


def test_a_worker_with_a_free_slot_does_not_stay_silent(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    environment = {"BROKER": broker.url, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = spawn(
            [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "1"],
            output=output.fileno(), cwd=tmp_path, env=os.environ | environment,
        )  # fmt: skip
    try:
        eventually((tmp_path / "ready").exists, what=f"the start of the worker ({log})")
        with Celery(broker=broker.url) as app:
            app.send_task("note", [str(tmp_path / "done")])

        eventually((tmp_path / "done").exists, what=f"the task ({log})")
        assert "no reply for 3 s; 1 messages counted as in progress, 0 tasks" in log.read_text()
    finally:
        stop(worker, grace=2)


def test_the_read_of_a_subscription_has_a_time_limit(broker: Broker) -> None:
    """Otherwise a worker whose subscription was replaced waits for a message to it."""
    install_transport()
    with Connection(broker.url, transport_options={"socket_timeout": 2}) as connection:
        channel: Any = connection.channel()
        subscription = channel.subclient
        subscription.subscribe("empty")
        subscription.parse_response()
        reader = ThreadPoolExecutor().submit(subscription.parse_response)

        try:
            with pytest.raises(BrokerTimeout):
                reader.result(timeout=60)
        finally:
            subscription.connection.disconnect()


def test_a_worker_waits_for_each_queue_by_one_name(broker: Broker) -> None:
    """A message that another sender gives a priority waits in the queue itself, like all others."""
    install_transport()
    with Connection(broker.url) as connection:
        channel: Any = connection.channel()
        channel.queue_declare("each")
        channel.basic_publish(channel.prepare_message("{}", priority=9), "", "each")

        assert [channel._q_for_pri("each", step) for step in channel.priority_steps] == ["each"]
        assert broker.waiting("each") == 1
        assert channel.basic_get("each")
