"""A worker drops malformed messages and continues."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import current_app

from backups import services
from operations.states import RunOutcome
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.customer import Customer
from tests.support.stack import Stack, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PROPERTIES = {"delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": "backup"}}
TASK = "operations.tasks.execute_operation_run"
MALFORMED_MESSAGES: list[object] = [
    b"not json",
    b"\x00\xff",
    b"[" * 100_000,
    b"",
    *(None, 5, "text", [], [1], {}),
    {"properties": []},
    {"properties": {"delivery_tag": ["x"], "delivery_info": {}}},
    {"properties": {"delivery_tag": "1"}},
    {"properties": {**PROPERTIES, "body_encoding": "base64"}, "body": "???"},
    {"properties": PROPERTIES, "body": "W10=", "headers": {"task": "no.such.task"}},
    {"properties": PROPERTIES, "body": "W10=", "headers": {"task": ["x"], "id": "1"}},
    {"properties": PROPERTIES, "body": "x", "headers": {"task": TASK, "id": "1"}},
    {"properties": PROPERTIES, "body": 5, "headers": [], "content-type": "application/x-python"},
]


def test_malformed_messages_are_dropped_and_the_next_run_succeeds(
    customer: Customer, stack: Stack, broker: Broker, operator: User
) -> None:
    worker = stack.start_worker()
    with current_app.connection_for_write() as connection:
        client: Any = connection.default_channel.client  # type: ignore[attr-defined]
        for message in MALFORMED_MESSAGES:
            client.lpush("backup", message if isinstance(message, bytes) else json.dumps(message))

    run = services.run_now(customer.schedule, operator).run

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert worker.poll() is None, stack.logs()
    assert stack.logs().count("an unreadable message was dropped") >= 10
    assert broker.waiting("backup") == 0
