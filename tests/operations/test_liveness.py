"""Is everything up? Beat, broker, worker and database, told by one tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from operations import liveness, tasks
from tests.operations.conftest import Broker

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_tick_yet(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM operation_ticks")


def age_of_last_tick(seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_ticks SET at = clock_timestamp() - make_interval(secs => %s)",
            [seconds],
        )


def test_everything_is_well_after_a_tick(broker: Broker) -> None:
    liveness.record_tick()

    assert liveness.health() == {
        "status": "ok",
        "checks": {"database": "ok", "broker": "ok", "scheduler": "ok"},
    }


def test_the_relay_is_the_tick(broker: Broker) -> None:
    tasks.relay_queued_runs()

    assert liveness.health()["checks"]["scheduler"] == "ok"


def test_many_ticks_are_one_row(broker: Broker) -> None:
    for _ in range(3):
        liveness.record_tick()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operation_ticks")
        assert cursor.fetchone() == (1,)


def test_before_the_first_tick_it_is_not_well(broker: Broker) -> None:
    health = liveness.health()

    assert health["status"] != "ok"
    assert health["checks"]["scheduler"] == "no tick from beat yet"


@pytest.mark.parametrize(("missed", "well"), [(2, True), (4, False)])
def test_a_hiccup_is_no_outage(broker: Broker, settings: Settings, missed: int, well: bool) -> None:
    liveness.record_tick()
    age_of_last_tick(missed * settings.TICK_SECONDS)

    scheduler = liveness.health()["checks"]["scheduler"]

    assert (scheduler == "ok") == well
    assert well or "seconds ago" in scheduler


def test_a_broker_that_is_away_is_told(no_broker: None) -> None:
    liveness.record_tick()

    health = liveness.health()

    assert health["status"] == "degraded"
    assert health["checks"]["broker"] == "not reachable"
