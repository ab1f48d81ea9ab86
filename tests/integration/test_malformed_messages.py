"""Whatever somebody puts into a queue, the worker goes on with its work."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import current_app

from backups import services
from operations.models import OperationRun
from operations.states import RunOutcome, RunStatus
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.customer import Customer
from tests.support.stack import Stack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

WHERE = {"delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": "backup"}}
TASK = "operations.tasks.execute_operation_run"
GARBAGE: list[object] = [
    b"not json",
    b"\x00\xff",
    b"[" * 100_000,
    b"",
    *(None, 5, "text", [], [1], {}),
    {"properties": []},
    {"properties": {"delivery_tag": ["x"], "delivery_info": {}}},
    {"properties": {"delivery_tag": "1"}},
    {"properties": {**WHERE, "body_encoding": "base64"}, "body": "???"},
    {"properties": WHERE, "body": "W10=", "headers": {"task": "no.such.task"}},
    {"properties": WHERE, "body": "W10=", "headers": {"task": ["x"], "id": "1"}},
    {"properties": WHERE, "body": "x", "headers": {"task": TASK, "id": "1"}},
    {"properties": WHERE, "body": 5, "headers": [], "content-type": "application/x-python"},
]


def test_what_nobody_can_read_costs_nothing_but_itself(
    customer: Customer, stack: Stack, broker: Broker, operator: User
) -> None:
    worker = stack.worker()
    with current_app.connection_for_write() as connection:
        client: Any = connection.default_channel.client  # type: ignore[attr-defined]
        for odd in GARBAGE:
            client.lpush("backup", odd if isinstance(odd, bytes) else json.dumps(odd))

    run = services.run_now(customer.schedule, operator).run

    eventually(
        lambda: OperationRun.objects.filter(pk=run.pk, status=RunStatus.COMPLETED).exists(),
        seconds=60,
        what=f"the end of the run\n{stack.logs()}",
    )
    assert OperationRun.objects.get(pk=run.pk).outcome == RunOutcome.SUCCEEDED
    assert worker.poll() is None, stack.logs()
    assert stack.logs().count("an unreadable message was dropped") >= 10
    assert broker.waiting("backup") == 0
