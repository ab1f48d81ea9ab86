"""Health of beat, broker, workers, database and ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from operations import tasks, ticks
from operations.maintenance import health
from operations.models import InvariantResult
from operations.testing import record_ticks
from operations.worker import execution
from tenancy.models import Tenant
from tests.support.broker import Broker
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import create_queued_run

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _no_ticks(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM operation_ticks")


def age_last_tick(seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_ticks SET at = clock_timestamp() - make_interval(secs => %s)",
            [seconds],
        )


def test_every_check_is_ok_after_a_tick(broker: Broker) -> None:
    record_ticks()

    checks = ("database", "broker", "scheduler", "queues", "ledger")
    assert health.check_health() == {
        "status": "ok",
        "checks": dict.fromkeys(checks, "ok"),
        "waiting": {},
    }


def test_the_relay_records_a_tick(broker: Broker) -> None:
    tasks.relay_queued_runs()
    ticks.acquire_tick("emails")

    assert health.check_health()["checks"]["scheduler"] == "ok"


def test_only_one_of_many_ticks_is_acquired(broker: Broker) -> None:
    """Tick messages do not expire, so hundreds can wait after an outage."""
    acquired = [ticks.acquire_tick("relay") for _ in range(3)]
    other = ticks.acquire_tick("reconciler")
    age_last_tick(settings.TICK_SECONDS)
    later = ticks.acquire_tick("relay")

    assert acquired == [True, False, False]
    assert other
    assert later


def test_ticks_continue_when_the_clock_is_set_back(broker: Broker) -> None:
    ticks.acquire_tick("relay")
    age_last_tick(-3600)

    assert ticks.acquire_tick("relay")


def test_many_ticks_share_one_row(broker: Broker) -> None:
    for _ in range(3):
        ticks.acquire_tick("relay")

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operation_ticks")
        assert cursor.fetchone() == (1,)


def test_health_is_not_ok_before_the_first_tick(broker: Broker) -> None:
    report = health.check_health()

    assert report["status"] != "ok"
    assert report["checks"]["scheduler"] == "no tick from beat yet, or no worker on “ticks”"


def test_a_queue_of_ticks_without_a_worker_is_reported(broker: Broker) -> None:
    ticks.acquire_tick("relay")

    scheduler = health.check_health()["checks"]["scheduler"]

    assert scheduler == "no tick from beat yet, or no worker on “notifications”"


@pytest.mark.parametrize(("missed", "is_ok"), [(2, True), (4, False)])
def test_the_scheduler_check_tolerates_a_few_missed_ticks(
    broker: Broker, settings: Settings, missed: int, is_ok: bool
) -> None:
    record_ticks()
    age_last_tick(missed * settings.TICK_SECONDS)

    scheduler = health.check_health()["checks"]["scheduler"]

    assert (scheduler == "ok") == is_ok
    assert is_ok or "seconds ago" in scheduler


def test_an_unreachable_broker_is_reported(no_broker: None) -> None:
    record_ticks()

    report = health.check_health()

    assert report["status"] == "degraded"
    assert report["checks"]["broker"] == "it cannot be reached"


# --- waiting runs ---------------------------------------------------------------------------------


def create_waiting_run(tenant: Tenant, minutes: int) -> None:
    OperationRunFactory(tenant=tenant, created_at=timezone.now() - minutes * MINUTE)


def test_a_queue_reports_how_long_its_oldest_run_has_waited(tenant: Tenant, broker: Broker) -> None:
    record_ticks()
    create_waiting_run(tenant, 3)
    create_waiting_run(tenant, 8)

    report = health.check_health()

    assert report["status"] == "ok"
    assert report["waiting"].keys() == {"backup"}
    assert report["waiting"]["backup"]["runs"] == 2
    assert report["waiting"]["backup"]["oldest_seconds"] // 60 == 8


def test_only_a_stalled_queue_is_reported(tenant: Tenant, broker: Broker, client: Client) -> None:
    record_ticks()
    create_waiting_run(tenant, 20)
    ticks.record_claim("inventory.sync")

    report = health.check_health()

    assert report["checks"]["queues"] == "“backup”: 1 queued, none claimed for 20 min"
    assert report["checks"]["scheduler"] == "ok"
    assert client.get("/healthz").status_code == 503


def test_a_long_queue_whose_runs_are_claimed_is_ok(
    tenant: Tenant, broker: Broker, use_handler: Callable[..., None]
) -> None:
    record_ticks()
    create_waiting_run(tenant, 20)
    use_handler(lambda active: None)

    execution.execute(create_queued_run(tenant).pk)

    report = health.check_health()
    assert report["checks"]["queues"] == "ok"
    assert report["waiting"]["backup"]["seconds_without_claim"] < 60


def test_consecutive_claims_are_recorded_once(tenant: Tenant) -> None:
    ticks.record_claim("inventory.sync")
    with connection.cursor() as cursor:
        cursor.execute("SELECT at FROM operation_ticks")
        first = cursor.fetchall()
        ticks._claims.clear()  # another process
        ticks.record_claim("inventory.sync")
        cursor.execute("SELECT at FROM operation_ticks")

        assert cursor.fetchall() == first


def test_a_process_records_the_claims_of_each_queue_from_time_to_time() -> None:
    with CaptureQueriesContext(connection) as statements:
        for _ in range(3):
            ticks.record_claim("inventory.sync")
        ticks.record_claim("backup_schedule.run_now")
    assert len(statements) == 2

    for queue in ticks._claims:
        ticks._claims[queue] -= ticks.CLAIM_SECONDS
    with CaptureQueriesContext(connection) as statements:
        ticks.record_claim("inventory.sync")
    assert len(statements) == 1


def test_a_claim_does_not_count_as_a_tick_of_beat(broker: Broker) -> None:
    ticks.record_claim("inventory.sync")

    assert health.check_health()["checks"]["scheduler"].startswith("no tick from beat yet")


# --- the last check of the ledger -----------------------------------------------------------------


def test_a_broken_invariant_is_reported(broker: Broker) -> None:
    record_ticks()
    now = timezone.now()
    InvariantResult.objects.create(name="lease_is_kept", checked_at=now)
    InvariantResult.objects.create(name="slot_fired_once", checked_at=now, count=2)

    report = health.check_health()

    assert report["checks"]["ledger"] == "violated: slot_fired_once"
    assert report["status"] == "degraded"


def test_an_outdated_ledger_check_is_reported(broker: Broker) -> None:
    InvariantResult.objects.create(name="lease_is_kept", checked_at=timezone.now() - 300 * MINUTE)

    assert "last checked 5 h ago" in health.check_health()["checks"]["ledger"]
