"""Requests to Graph are counted for the metrics."""

from __future__ import annotations

import pytest
from django.db import DatabaseError

from dev.graph_sandbox.control import SandboxControl
from inventory.services import start_sync
from operations.metrics.counting import update_metrics
from operations.models import Metric
from operations.testing import run_now
from operations.types import OperationRunType
from providers import connections
from providers.graph.usage import Usage
from tenancy.models import Tenant, User
from tests.support.sandbox import connect_to_graph

INVENTORY_SYNC = OperationRunType.INVENTORY_SYNC
pytestmark = pytest.mark.django_db


def counters(name: str) -> dict[tuple[str, ...], float]:
    update_metrics()
    rows = Metric.objects.filter(name=name).values_list("labels", "value")
    return {tuple(labels[key] for key in sorted(labels)): value for labels, value in rows}


@pytest.mark.usefixtures("short_retry_waits")
def test_the_requests_of_a_run_are_counted_with_their_status(
    graph: SandboxControl, tenant: Tenant, operator: User
) -> None:
    connect_to_graph(graph, tenant)
    graph.fault(tenant.external_id, "throttle", retry_after=1, times=2)

    assert run_now(start_sync(INVENTORY_SYNC, tenant, by=operator).run).outcome == "succeeded"

    requests = counters("graph_requests")
    assert requests["GET", "429"] == 2
    assert requests["GET", "200"] >= 5
    assert counters("graph_throttled") == {(): 2}
    assert counters("graph_wait_seconds")["throttled",] > 0


def test_a_run_does_not_fail_if_its_requests_cannot_be_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(connections, "record", refuse)
    usage = Usage(connections._record_usage)
    usage.add_request("GET", None)

    usage.flush()
    assert counters("graph_requests") == {}


def test_nothing_is_recorded_without_requests() -> None:
    recorded: list[object] = []
    usage = Usage(recorded.append)
    usage.add_wait("pacing", 0.0)
    usage.flush()
    assert recorded == []
