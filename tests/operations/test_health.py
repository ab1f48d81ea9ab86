"""Is everything up? Beat, broker, worker and database, told by one tick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from operations import tasks, ticks
from operations.maintenance import health
from operations.models import InvariantResult
from operations.worker import execution
from tenancy.models import Tenant
from tests.support.broker import Broker
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import a_queued_run

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


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
    ticks.acquire_tick("relay")

    parts = ("database", "broker", "scheduler", "queues", "ledger")
    assert health.check_health() == {
        "status": "ok",
        "checks": dict.fromkeys(parts, "ok"),
        "waiting": {},
    }


def test_the_relay_is_the_tick(broker: Broker) -> None:
    tasks.relay_queued_runs()

    assert health.check_health()["checks"]["scheduler"] == "ok"


def test_of_many_ticks_at_once_one_has_something_to_do(broker: Broker) -> None:
    """They never expire, so after an outage hundreds may wait."""
    turns = [ticks.acquire_tick("relay") for _ in range(3)]
    other = ticks.acquire_tick("reconciler")
    age_of_last_tick(settings.TICK_SECONDS)
    later = ticks.acquire_tick("relay")

    assert turns == [True, False, False]
    assert other
    assert later


def test_a_clock_that_is_set_back_stops_no_tick(broker: Broker) -> None:
    ticks.acquire_tick("relay")
    age_of_last_tick(-3600)

    assert ticks.acquire_tick("relay")


def test_many_ticks_are_one_row(broker: Broker) -> None:
    for _ in range(3):
        ticks.acquire_tick("relay")

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operation_ticks")
        assert cursor.fetchone() == (1,)


def test_before_the_first_tick_it_is_not_well(broker: Broker) -> None:
    report = health.check_health()

    assert report["status"] != "ok"
    assert report["checks"]["scheduler"] == "no tick from beat yet"


@pytest.mark.parametrize(("missed", "well"), [(2, True), (4, False)])
def test_a_hiccup_is_no_outage(broker: Broker, settings: Settings, missed: int, well: bool) -> None:
    ticks.acquire_tick("relay")
    age_of_last_tick(missed * settings.TICK_SECONDS)

    scheduler = health.check_health()["checks"]["scheduler"]

    assert (scheduler == "ok") == well
    assert well or "seconds ago" in scheduler


def test_a_broker_that_is_away_is_told(no_broker: None) -> None:
    ticks.acquire_tick("relay")

    report = health.check_health()

    assert report["status"] == "degraded"
    assert report["checks"]["broker"] == "not reachable"


# --- runs that wait ---------------------------------------------------------------------------------


def waiting_since(tenant: Tenant, minutes: int) -> None:
    OperationRunFactory(tenant=tenant, created_at=timezone.now() - minutes * MINUTE)


def test_a_queue_says_how_long_its_oldest_run_has_waited(tenant: Tenant, broker: Broker) -> None:
    ticks.acquire_tick("relay")
    waiting_since(tenant, 3)
    waiting_since(tenant, 8)

    report = health.check_health()

    assert report["status"] == "ok"
    assert report["waiting"].keys() == {"backup"}
    assert report["waiting"]["backup"]["runs"] == 2
    assert report["waiting"]["backup"]["oldest_seconds"] // 60 == 8


def test_a_queue_that_stands_still_is_told_and_the_others_are_not(
    tenant: Tenant, broker: Broker, client: Client
) -> None:
    ticks.acquire_tick("relay")
    waiting_since(tenant, 20)
    ticks.record_claim("inventory.sync")

    report = health.check_health()

    assert report["checks"]["queues"] == "“backup”: 1 queued, none claimed for 20 min"
    assert report["checks"]["scheduler"] == "ok"
    assert client.get("/healthz").status_code == 503


def test_a_queue_from_which_runs_are_taken_only_is_long(
    tenant: Tenant, broker: Broker, use_handler: Callable[..., None]
) -> None:
    ticks.acquire_tick("relay")
    waiting_since(tenant, 20)
    use_handler(lambda active: None)

    execution.execute(a_queued_run(tenant).pk)

    report = health.check_health()
    assert report["checks"]["queues"] == "ok"
    assert report["waiting"]["backup"]["seconds_without_claim"] < 60


def test_claims_in_a_row_are_noted_once(tenant: Tenant) -> None:
    ticks.record_claim("inventory.sync")
    with connection.cursor() as cursor:
        cursor.execute("SELECT at FROM operation_ticks")
        first = cursor.fetchall()
        ticks.record_claim("inventory.sync")
        cursor.execute("SELECT at FROM operation_ticks")

        assert cursor.fetchall() == first


def test_a_worker_that_works_is_no_tick_of_beat(broker: Broker) -> None:
    ticks.record_claim("inventory.sync")

    assert health.check_health()["checks"]["scheduler"] == "no tick from beat yet"


# --- the last check of the ledger -------------------------------------------------------------------


def test_a_promise_that_was_not_kept_is_told(broker: Broker) -> None:
    ticks.acquire_tick("relay")
    now = timezone.now()
    InvariantResult.objects.create(name="lease_is_kept", checked_at=now)
    InvariantResult.objects.create(name="slot_fired_once", checked_at=now, count=2)

    report = health.check_health()

    assert report["checks"]["ledger"] == "violated: slot_fired_once"
    assert report["status"] == "degraded"


def test_a_ledger_that_nobody_checks_any_more_is_told(broker: Broker) -> None:
    InvariantResult.objects.create(name="lease_is_kept", checked_at=timezone.now() - 300 * MINUTE)

    assert "last checked 5 h ago" in health.check_health()["checks"]["ledger"]
