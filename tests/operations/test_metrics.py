"""`/metrics`: who may read it, and that everything is counted once and stays counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from ipaddress import ip_network

import psycopg
import pytest
from django.core.checks import run_checks
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from notifications.delivering import MAX_ATTEMPTS
from notifications.mail import send_again
from notifications.models import NotificationDelivery, WebhookEndpoint
from operations.events import Event, append_events
from operations.metrics.counting import record, update_metrics
from operations.models import Metric, MetricIncrement, OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from tenancy.db import database_now
from tenancy.models import Tenant, Workspace
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.backups import BackupSetFactory, finish
from tests.support.factories.notifications import (
    add_endpoint,
    create_delivery,
    create_webhook,
)
from tests.support.factories.operations import (
    SCHEDULED,
    build_slot_request,
    create_ended_run,
    create_past_run,
    create_queued_run,
    create_running_run,
    prune,
)
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db

TOKEN = "a-token-of-the-monitoring"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
TYPE = "backup_schedule.run_now"


@pytest.fixture
def _token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def read_metrics(client: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Count what is new, and return the values of all series by name and label values.

    The values of the labels are in the order of the labels' names.
    """
    update_metrics()
    response = client.get("/metrics", headers=BEARER)
    assert response.status_code == 200
    series: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            values = tuple(value for _, value in sorted(sample.labels.items()))
            series.setdefault(sample.name, {})[values] = sample.value
    return series


# --- who may read it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "networks", "headers", "status"),
    [
        ("", [], {}, 404),
        ("", [], BEARER, 404),
        (TOKEN, [], {}, 401),
        (TOKEN, [], {"Authorization": "Bearer another-token"}, 401),
        (TOKEN, [], {"Authorization": "Bearer tökên"}, 401),
        (TOKEN, [], {"Authorization": f"Basic {TOKEN}"}, 401),
        (TOKEN, [], BEARER, 200),
        ("", ["127.0.0.0/8"], {}, 200),
        ("", ["10.0.0.0/8", "fd00::/8"], {}, 403),
        (TOKEN, ["127.0.0.0/8"], {}, 401),
        (TOKEN, ["10.0.0.0/8"], BEARER, 403),
        (TOKEN, ["127.0.0.0/8"], BEARER, 200),
    ],
)
def test_only_a_client_with_the_token_in_a_network_reads_it(
    client: Client,
    settings: Settings,
    *,
    token: str,
    networks: list[str],
    headers: Mapping[str, str],
    status: int,
) -> None:
    settings.METRICS_TOKEN = token
    settings.METRICS_NETWORKS = [ip_network(network) for network in networks]

    response = client.get("/metrics", headers=dict(headers))

    assert response.status_code == status
    assert (b"runledger_" in response.content) is (status == 200)


@pytest.mark.usefixtures("_token")
def test_the_address_that_the_proxy_saw_counts(client: Client, settings: Settings) -> None:
    settings.METRICS_NETWORKS = [ip_network("10.0.0.0/8")]
    settings.TRUSTED_PROXIES = 1

    def status_of(forwarded: str) -> int:
        return client.get("/metrics", headers=BEARER | {"X-Forwarded-For": forwarded}).status_code

    assert status_of("10.1.2.3") == 200
    assert status_of("10.1.2.3, 192.0.2.1") == 403
    assert status_of("nonsense") == 403


@pytest.mark.usefixtures("_token")
def test_only_reading_is_allowed(client: Client) -> None:
    assert client.post("/metrics", headers=BEARER).status_code == 405
    assert client.head("/metrics", headers=BEARER).status_code == 200


def test_a_short_token_and_a_wrong_limit_prevent_the_start(settings: Settings) -> None:
    settings.METRICS_TOKEN, settings.METRICS_TENANTS = "short", -1

    assert {"operations.E006", "operations.E007"} <= {each.id for each in run_checks()}


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("_token")
def test_it_has_the_formats_that_prometheus_asks_for(client: Client, tenant: Tenant) -> None:
    create_ended_run(tenant)
    update_metrics()

    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    response = client.get("/metrics", headers=BEARER | {"Accept": accept})

    assert response["Content-Type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(response.text)}
    assert {"runledger_runs_ended", "runledger_queue_runs", "runledger_backup_late"} <= names


@pytest.mark.usefixtures("_token")
@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=one",
        "text/plain;version=1.x",
        "text/plain;version=",
        ";,=;",
    ],
)
def test_a_strange_version_gets_the_usual_format(client: Client, accept: str) -> None:
    response = client.get("/metrics", headers=BEARER | {"Accept": accept})

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.usefixtures("_token")
def test_runs_are_counted_by_type_and_outcome(client: Client, tenant: Tenant) -> None:
    create_ended_run(tenant, succeeded=1)
    create_ended_run(tenant, total=1)
    OperationRunFactory(tenant=tenant, blocked=True)
    create_queued_run(tenant, 8)
    create_running_run(tenant, 9)

    series = read_metrics(client)

    ended = series["runledger_runs_ended_total"]
    assert ended["succeeded", TYPE] == 1
    assert ended["failed", TYPE] == 1
    assert sum(ended.values()) == 3
    # A series that starts above zero hides its first increase.
    assert ended["cancelled", TYPE] == 0
    assert series["runledger_runs_with_reason_total"]["not_attempted", TYPE] == 1
    assert series["runledger_queue_runs"]["backup",] == 1
    assert series["runledger_queue_oldest_seconds"]["backup",] >= 0
    assert series["runledger_runs_running"] == {(TYPE,): 1}


@pytest.mark.usefixtures("_token")
def test_the_stages_of_a_run_are_histograms(client: Client, tenant: Tenant) -> None:
    now = database_now()
    for seconds in (0.25, 20, 100_000):
        OperationRunFactory(
            tenant=tenant,
            succeeded=True,
            created_at=now,
            published_at=now + dt.timedelta(seconds=0.1),
            started_at=now + dt.timedelta(seconds=2.1),
            completed_at=now + dt.timedelta(seconds=2.1 + seconds),
        )

    series = read_metrics(client)

    work = series["runledger_run_work_seconds_bucket"]
    assert [work[bound, TYPE] for bound in ("0.1", "0.5", "15.0", "60.0", "+Inf")] == [
        *(0, 1, 1, 2),
        3,
    ]
    assert series["runledger_run_work_seconds_sum"][TYPE,] == pytest.approx(100_020.25)
    assert series["runledger_run_work_seconds_count"][TYPE,] == 3
    # A bound belongs to its bucket.
    assert series["runledger_run_publish_seconds_bucket"]["0.1", TYPE] == 3
    assert series["runledger_run_claim_seconds_bucket"]["1.0", TYPE] == 0
    assert series["runledger_run_claim_seconds_bucket"]["5.0", TYPE] == 3


@pytest.mark.usefixtures("_token")
def test_lost_leases_and_refused_reports_are_counted(client: Client, tenant: Tenant) -> None:
    service = OperationRunService()
    run = create_running_run(tenant)
    service.end_lost_run(run, error=SafeError("worker_lost"))
    service.record_late_write(run.pk, "worker-1")

    series = read_metrics(client)

    assert series["runledger_leases_lost_total"]["worker_lost", TYPE] == 1
    assert sum(series["runledger_leases_lost_total"].values()) == 1
    assert series["runledger_late_writes_refused_total"][()] == 1
    assert series["runledger_messages_republished_total"][()] == 0


def test_each_event_that_is_counted_has_its_own_counter(tenant: Tenant) -> None:
    run = create_queued_run(tenant)
    for kind in ("published_again", "publish_refused", "publish_refused", "note"):
        append_events([(run.pk, Event(kind, "An event."))])
    append_events([(run.pk, Event("late_write_refused", "An event."))])

    update_metrics()

    assert dict(Metric.objects.values_list("name", "value")) == {
        "messages_republished": 1,
        "messages_refused": 2,
        "late_writes_refused": 1,
    }


@pytest.mark.usefixtures("_token")
def test_slots_are_fired_missed_and_blocked(client: Client, tenant: Tenant) -> None:
    service = OperationRunService()
    missed = SafeError("missed", slots="1 slot", now="now")
    blocked = SafeError("tenant_suspended", tenant="Fabrikam")
    fired = service.ensure_run(build_slot_request(tenant, 1)).run
    service.claim(fired.pk, "worker-1")
    service.complete(fired.pk)
    service.block_slots([(build_slot_request(tenant, 2), missed)])
    for minute in (0, 1, 2):
        slot = f"2026-03-08T07:0{minute}Z"
        assert service.block_slots([(build_slot_request(tenant, 3, slot), blocked)]) == 1
    assert OperationRun.objects.filter(type=SCHEDULED).count() == 3

    series = read_metrics(client)

    assert series["runledger_slots_total"] == {("fired",): 1, ("missed",): 1, ("blocked",): 3}


@pytest.mark.usefixtures("_token")
def test_deliveries_are_counted(client: Client, tenant: Tenant) -> None:
    create_delivery(tenant)
    deliveries = NotificationDelivery.objects.filter(delivered_at=None, failed_at=None)
    due = deliveries.count()
    assert due
    for attempts in (1, 2):
        deliveries.update(attempts=attempts, due_at=database_now())
    before = read_metrics(client)
    deliveries.update(delivered_at=database_now())

    series = read_metrics(client)

    assert before["runledger_deliveries_due"][()] == due
    assert series["runledger_deliveries_due"][()] == 0
    assert series["runledger_delivery_attempts_total"][()] == 2 * due
    assert series["runledger_deliveries_made_total"][()] == due
    assert series["runledger_deliveries_failed_total"][()] == 0


@pytest.mark.usefixtures("_token")
def test_an_email_that_the_mail_server_refuses_is_delayed_although_its_next_attempt_is_later(
    client: Client, tenant: Tenant
) -> None:
    create_delivery(tenant)
    now = database_now()
    # After waits of 1, 2, 4, 8, 16, 32 and 60 minutes, the last of which ends in half an hour.
    NotificationDelivery.objects.update(attempts=7, due_at=now + dt.timedelta(minutes=30))

    series = read_metrics(client)

    assert series["runledger_deliveries_due"][()] == 0
    assert series["runledger_deliveries_oldest_seconds"][()] >= (123 - 30) * 60


@pytest.mark.usefixtures("_token")
def test_an_email_that_a_person_sends_again_is_due_from_then(
    client: Client, tenant: Tenant
) -> None:
    delivery = create_delivery(tenant, attempts=MAX_ATTEMPTS, failed_at=database_now())

    send_again(delivery)

    series = read_metrics(client)
    assert series["runledger_deliveries_due"][()] == 1
    assert series["runledger_deliveries_oldest_seconds"][()] < 3600


@pytest.mark.usefixtures("_token")
def test_an_email_that_is_sent_once_a_day_is_not_delayed(client: Client, tenant: Tenant) -> None:
    create_delivery(tenant, due_at=database_now() + dt.timedelta(hours=1))

    assert read_metrics(client)["runledger_deliveries_oldest_seconds"][()] == 0


@pytest.mark.usefixtures("_token")
@pytest.mark.parametrize("waits", ["retry_at", "paused_at", "disabled_at"])
def test_a_webhook_that_waits_for_its_receiver_is_not_delayed(
    client: Client, tenant: Tenant, waits: str
) -> None:
    endpoint, _ = add_endpoint(tenant.workspace, "https://hooks.example.com/")
    create_webhook(tenant, endpoint)
    now = database_now()
    NotificationDelivery.objects.update(attempts=3, due_at=now - dt.timedelta(hours=2))
    late = read_metrics(client)

    WebhookEndpoint.objects.update(**{waits: now + dt.timedelta(hours=1)})

    waiting = read_metrics(client)
    assert late["runledger_deliveries_oldest_seconds"][()] >= 7200
    assert late["runledger_deliveries_due"][()] == 1
    assert waiting["runledger_deliveries_oldest_seconds"][()] == 0
    assert waiting["runledger_deliveries_due"][()] == 0


@pytest.mark.usefixtures("_token")
def test_the_tenants_with_the_oldest_backups_have_series(
    client: Client, workspace: Workspace, settings: Settings
) -> None:
    now = database_now()
    never, old, new = (TenantFactory(workspace=workspace) for _ in range(3))
    for tenant, hours in ((old, 50), (new, 1)):
        ended = now - dt.timedelta(hours=hours)
        finish(BackupSetFactory(schedule__tenant=tenant), ended_at=ended)
    settings.METRICS_TENANTS = 2

    response = client.get("/metrics", headers=BEARER)
    series = read_metrics(client)

    late = series["runledger_backup_late"]
    assert late == {(str(never.pk), "contoso"): 1, (str(old.pk), "contoso"): 1}
    (age,) = series["runledger_backup_age_seconds"].values()
    assert 50 * 3600 <= age < 51 * 3600
    assert series["runledger_tenants"][()] == 3
    assert series["runledger_tenants_late"][()] == 1
    assert series["runledger_tenants_never_backed_up"][()] == 1
    for row in (never, old, new):
        assert row.name not in response.text


@pytest.mark.usefixtures("_token")
def test_a_request_reads_a_few_rows_by_a_few_statements(client: Client, tenant: Tenant) -> None:
    for number in range(3):
        create_ended_run(tenant, number)
    update_metrics()
    client.get("/metrics", headers=BEARER)

    with CaptureQueriesContext(connection) as captured:
        client.get("/metrics", headers=BEARER)

    statements = [query["sql"] for query in captured]
    assert len(statements) <= 15
    # The ledger is read by the partial indexes of queued and running runs only.
    of_runs = [sql for sql in statements if "operation_runs" in sql]
    assert len(of_runs) == 2
    assert all("status = 'queued'" in sql or "status = 'running'" in sql for sql in of_runs)


# --- exactly once, and kept -----------------------------------------------------------------------


@pytest.mark.usefixtures("_token")
def test_counters_stay_when_retention_removes_runs(
    client: Client, tenant: Tenant, settings: Settings
) -> None:
    settings.RUN_KEEP_LAST = 1
    for days in (900, 800):
        create_past_run(tenant, days)
    create_past_run(tenant, 1)
    before = read_metrics(client)["runledger_runs_ended_total"]

    prune(tenant.workspace)

    after = read_metrics(client)["runledger_runs_ended_total"]
    assert OperationRun.objects.filter(type=TYPE).count() == 1
    assert after == before | {("succeeded", "operations.prune"): 1}
    assert sum(before.values()) == 3


def test_counting_again_changes_nothing(tenant: Tenant) -> None:
    create_ended_run(tenant)
    assert update_metrics() == 1
    before = list(Metric.objects.order_by("pk").values())

    assert update_metrics() == 0
    assert list(Metric.objects.order_by("pk").values()) == before


def test_what_is_rolled_back_is_not_counted(tenant: Tenant) -> None:
    with transaction.atomic():
        create_ended_run(tenant)
        transaction.set_rollback(True)
    assert update_metrics() == 0


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_count_each_run_once(tenant: Tenant) -> None:
    """The second tick takes nothing that the first one is counting, and neither waits."""
    for number in range(5):
        create_ended_run(tenant, number)
    count = "SELECT operation_metrics_update(%s, '{}', '{1}')"
    with psycopg.connect(database_url()) as first, psycopg.connect(database_url()) as second:
        assert first.execute(count, [3]).fetchone() == (3,)
        taken = second.execute("SELECT count(*) FROM operation_metric_increments").fetchone()
        assert taken == (5,)
        first.rollback()
        assert first.execute(count, [3]).fetchone() == (3,)
        first.commit()
        assert second.execute(count, [100]).fetchone() == (2,)
        second.commit()

    ended = Metric.objects.filter(name="runs_ended")
    assert [metric.value for metric in ended] == [5]
    assert not MetricIncrement.objects.exists()


def test_a_run_that_no_longer_exists_and_other_kinds_do_no_harm(tenant: Tenant) -> None:
    MetricIncrement.objects.create(kind="run_ended", run_id=123456789)
    MetricIncrement.objects.create(kind="of_a_later_version")

    assert update_metrics() == 2
    assert not Metric.objects.filter(name="runs_ended").exists()


@pytest.mark.parametrize(
    "counted",
    [
        ("graph_requests", {"method": "GET"}, -1),
        ("graph_requests", {"method": "GET"}, 1e30),
        ("Graph-Requests", {}, 1),
        ("", {}, 1),
    ],
)
def test_only_counters_that_grow_are_recorded(counted: tuple[str, dict[str, str], float]) -> None:
    with pytest.raises(DatabaseError, match="not a list of counters"), transaction.atomic():
        record([counted])
    assert not MetricIncrement.objects.exists()


@pytest.mark.parametrize("json", ["null", "{}", '[{"name": "a"}]', '[{"value": 1}]', "[1]"])
def test_only_a_list_of_counters_is_recorded(json: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT operation_metrics_record(%s)", [json])


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE operation_metrics SET value = value - 1",
        "UPDATE operation_metrics SET name = 'other'",
        "UPDATE operation_metrics SET labels = '{}'",
        "DELETE FROM operation_metrics",
        "TRUNCATE operation_metrics",
    ],
)
def test_no_counter_decreases_or_disappears(tenant: Tenant, attack: str) -> None:
    """Not even for the owner of the tables."""
    create_ended_run(tenant)
    update_metrics()
    before = list(Metric.objects.order_by("pk").values())

    with (
        pytest.raises(DatabaseError, match=r"only the ledger counts|cannot decrease"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack)

    assert list(Metric.objects.order_by("pk").values()) == before
