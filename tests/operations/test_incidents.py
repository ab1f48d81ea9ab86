"""Incidents: one for each cause that hits several tenants, opened and closed by the ledger."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from operations.checks import incident_settings_are_valid
from operations.maintenance import incidents
from operations.maintenance.incidents import update_incidents
from operations.maintenance.integrity import check_ledger
from operations.models import Incident, OperationRun
from operations.services import OperationRunService
from operations.tasks import settle_runs
from operations.testing import allow_pruning
from operations.types import OperationRunType
from tenancy.clock import request_now
from tenancy.models import Tenant, User
from tests.support.concurrency import racing_threads
from tests.support.database import without_guards
from tests.support.factories import TenantFactory
from tests.support.factories.incidents import OUTAGE, create_incident, fail_for, succeed_for
from tests.support.factories.operations import create_running_run, prune

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenants(tenant: Tenant) -> list[Tenant]:
    """Five tenants of one workspace."""
    return [tenant, *TenantFactory.create_batch(4, workspace=tenant.workspace)]


def numbers(incident: Incident) -> tuple[int, int, int, int]:
    """Return the counts of an incident as they are now: runs, tenants, and those that recovered."""
    incident.refresh_from_db()
    recovered = incident.recovered_runs, incident.recovered_tenants
    return incident.runs, incident.tenants, *recovered


def count_again(*, days_ago: int = 0) -> Counter[str]:
    """Update the incidents as a later tick does, or as if nothing had happened for days."""
    with without_guards("operation_runs") as cursor:
        cursor.execute(
            "UPDATE operation_incidents SET counted_at = counted_at - interval '1 minute',"
            " first_run_at = first_run_at - make_interval(days => %(days)s)"
            " WHERE closed_at IS NULL",
            {"days": days_ago},
        )
        cursor.execute(
            "UPDATE operation_runs SET started_at = started_at - make_interval(days => %(days)s),"
            " completed_at = completed_at - make_interval(days => %(days)s)",
            {"days": days_ago},
        )
    return update_incidents()


# --- opening --------------------------------------------------------------------------------------


def test_runs_of_several_tenants_with_one_cause_are_an_incident(tenants: list[Tenant]) -> None:
    for tenant in tenants[:2]:
        fail_for(tenant)
    assert not update_incidents()["opened"]
    fail_for(tenants[2])

    assert update_incidents() == Counter(opened=1, joined=3, closed=0)

    incident = Incident.objects.get()
    assert (incident.cause, incident.number, incident.is_open) == (OUTAGE, 1, True)
    assert numbers(incident) == (3, 3, 0, 0)
    assert incident.cause_text == "Microsoft Graph unavailable: HTTP 503"
    assert set(OperationRun.objects.values_list("incident", flat=True)) == {incident.pk}


def test_many_runs_of_one_tenant_with_one_cause_are_an_incident(
    tenant: Tenant, settings: Settings
) -> None:
    settings.INCIDENT_RUNS = 4
    for schedule in range(4):
        fail_for(tenant, schedule)

    update_incidents()

    assert numbers(Incident.objects.get()) == (4, 1, 0, 0)


def test_different_causes_are_different_incidents(tenants: list[Tenant]) -> None:
    for tenant in tenants:
        fail_for(tenant, 1)
        fail_for(tenant, 2, "permission_missing", kind="groups", permission="Group.Read.All")
        fail_for(tenant, 3, "permission_missing", kind="roles", permission="Role.Read.All")

    update_incidents()

    assert set(Incident.objects.values_list("cause", flat=True)) == {
        OUTAGE,
        "permission_missing:Group.Read.All",
        "permission_missing:Role.Read.All",
    }


def test_two_workspaces_never_share_an_incident(tenants: list[Tenant]) -> None:
    others = TenantFactory.create_batch(2)
    for tenant in (*tenants[:2], *others):
        fail_for(tenant)

    assert not update_incidents()["opened"]


def test_recovered_and_old_runs_open_no_incident(tenants: list[Tenant], settings: Settings) -> None:
    for tenant in tenants:
        fail_for(tenant)
    for tenant in tenants[:3]:
        succeed_for(tenant)
    assert not update_incidents()["opened"]
    fail_for(tenants[0])
    with without_guards("operation_runs") as cursor:
        cursor.execute(
            "UPDATE operation_runs SET created_at = created_at - interval '8 days'"
            " WHERE tenant_id = %s",
            [tenants[4].pk],
        )

    assert not update_incidents()["opened"]
    settings.INCIDENT_WINDOW_DAYS = 9
    assert update_incidents()["opened"]


def test_the_tick_opens_an_incident(tenants: list[Tenant]) -> None:
    for tenant in tenants:
        fail_for(tenant)

    settle_runs()
    settle_runs()

    assert numbers(Incident.objects.get()) == (5, 5, 0, 0)


@pytest.mark.parametrize("value", [0, -1, 40_000])
def test_a_limit_of_zero_is_refused_at_the_start(settings: Settings, value: int) -> None:
    settings.INCIDENT_TENANTS = value

    assert [error.id for error in incident_settings_are_valid()] == ["operations.E005"]


# --- counting and closing -------------------------------------------------------------------------


def test_a_later_run_with_the_cause_joins_the_open_incident(tenants: list[Tenant]) -> None:
    incident = create_incident(tenants[0])

    fail_for(tenants[1])
    fail_for(tenants[0], 2)
    assert update_incidents() == Counter(opened=0, joined=2, closed=0)

    assert numbers(incident) == (5, 4, 0, 0)


def test_an_incident_counts_what_has_recovered_and_closes_at_the_end(
    tenants: list[Tenant],
) -> None:
    for tenant in tenants:
        fail_for(tenant)
    fail_for(tenants[0], 2)
    update_incidents()
    incident = Incident.objects.get()

    for tenant in tenants[:2]:
        succeed_for(tenant)
    assert not count_again()["closed"]
    # One of the two runs of the first tenant has not recovered.
    assert numbers(incident) == (6, 5, 2, 1)
    for tenant in tenants[2:]:
        succeed_for(tenant)
    succeed_for(tenants[0], 2)

    assert count_again()["closed"] == 1
    assert numbers(incident) == (6, 5, 6, 5)
    assert (incident.is_open, incident.close_reason) == (False, "recovered")


def test_a_partial_success_keeps_an_incident_open(tenants: list[Tenant]) -> None:
    incident = create_incident(tenants[0])
    service = OperationRunService()
    for run in OperationRun.objects.filter(incident=incident):
        assert run.tenant
        retry = create_running_run(run.tenant, 4711)
        service.increment_summary_counts(retry.pk, total=2, processed=2, succeeded=1, failed=1)
        service.complete(retry.pk)

    count_again()

    assert numbers(incident) == (3, 3, 0, 0)
    assert incident.is_open


def test_a_cause_that_returns_opens_the_next_incident(tenants: list[Tenant]) -> None:
    first = create_incident(tenants[0])
    for tenant in Tenant.objects.filter(operation_runs__incident=first).distinct():
        succeed_for(tenant, 4711)
    count_again()

    second = create_incident(tenants[0])

    assert (second.number, second.since) == (2, first.since)
    assert list(second.earlier()) == [first]
    assert numbers(second) == (3, 3, 0, 0)


def test_acknowledged_runs_close_an_incident_after_quiet_days(
    tenants: list[Tenant], operator: User
) -> None:
    """A run of an operation that is never started again cannot recover."""
    incident = create_incident(tenants[0])
    runs = list(OperationRun.objects.filter(incident=incident))
    OperationRunService().acknowledge_many(runs, by=operator)

    assert not count_again()["closed"]
    assert not count_again(days_ago=2)["closed"]
    assert count_again(days_ago=2)["closed"]
    incident.refresh_from_db()
    assert incident.close_reason == "acknowledged"


def test_a_small_incident_is_counted_in_each_tick(tenants: list[Tenant]) -> None:
    incident = create_incident(tenants[0])
    succeed_for(tenants[0], 4711)
    with without_guards("operation_incidents") as cursor:
        cursor.execute("UPDATE operation_incidents SET counted_at = clock_timestamp()")

    update_incidents()

    assert numbers(incident) == (3, 3, 1, 1)


def test_a_large_incident_is_counted_less_often(
    tenants: list[Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = create_incident(tenants[0])
    succeed_for(tenants[0], 4711)
    monkeypatch.setattr(incidents, "COUNTED_PER_SECOND", 0.001)

    count_again()
    assert numbers(incident) == (3, 3, 0, 0)
    # A run that joins is counted at once.
    fail_for(tenants[1])
    count_again()
    assert numbers(incident) == (4, 4, 1, 1)


def test_a_tick_has_few_statements_for_any_number_of_incidents(
    tenants: list[Tenant], django_assert_max_num_queries: Any
) -> None:
    for tenant in tenants:
        for number in range(6):
            fail_for(tenant, number, "permission_missing", kind="x", permission=f"P{number}.Read")

    with django_assert_max_num_queries(7):
        assert update_incidents() == Counter(opened=6, joined=30, closed=0)


def test_retention_removes_an_incident_after_its_runs(
    tenants: list[Tenant], settings: Settings
) -> None:
    settings.RUN_KEEP_LAST = 1
    incident = create_incident(tenants[0])
    for tenant in Tenant.objects.filter(operation_runs__incident=incident).distinct():
        succeed_for(tenant, 4711)
    count_again()
    with without_guards("operation_incidents") as cursor:
        cursor.execute("UPDATE operation_incidents SET closed_at = closed_at - interval '800 days'")
    prune(tenants[0].workspace)
    assert Incident.objects.exists()
    with without_guards("operation_runs") as cursor:
        cursor.execute("UPDATE operation_runs SET incident_id = NULL")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT operation_incidents_remove(%s, %s, 10)",
            [tenants[0].workspace_id, request_now() - dt.timedelta(days=730)],
        )
        assert cursor.fetchone() == (1,)

    assert not Incident.objects.exists()


# --- guards ---------------------------------------------------------------------------------------


def sql(statement: str, *values: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


INSERT = (
    "INSERT INTO operation_incidents (workspace_id, cause, number, since, first_run_at,"
    " last_run_at) VALUES (%s, %s, %s, now(), now(), now())"
)


def test_a_cause_has_one_open_incident(tenants: list[Tenant]) -> None:
    incident = create_incident(tenants[0])

    with pytest.raises(DatabaseError, match="incidents_one_open_per_cause"):
        sql(INSERT, incident.workspace_id, OUTAGE, 2)
    with pytest.raises(DatabaseError, match=r"incidents_numbered|incidents_one_open_per_cause"):
        sql(INSERT, incident.workspace_id, OUTAGE, 1)


@pytest.mark.parametrize(
    ("assignment", "rule"),
    [
        ("runs = 2", "incidents_counts_fit"),
        ("tenants = 4", "incidents_counts_fit"),
        ("recovered_tenants = 4", "incidents_counts_fit"),
        ("recovered_runs = 4", "incidents_counts_fit"),
        ("recovered_runs = 1, settled_runs = 0", "incidents_counts_fit"),
        ("runs = -1", "operation_incidents_runs_check|incidents_counts_fit"),
        ("first_run_at = last_run_at + interval '1 second'", "incidents_counts_fit"),
        ("closed_at = now()", "incidents_closed_for_a_reason"),
        ("close_reason = 'recovered'", "incidents_closed_for_a_reason"),
        ("closed_at = now(), close_reason = 'boredom'", "incidents_closed_for_a_reason"),
        ("closed_at = now(), close_reason = 'recovered'", "incidents_recovered_completely"),
        ("cause = 'missed'", "cannot be changed|runs_incident_of_cause"),
        ("number = 7", "cannot be changed"),
        ("since = now() - interval '1 year'", "cannot be changed"),
        ("created_at = now() - interval '1 year'", "cannot be changed"),
    ],
)
def test_an_incident_never_contradicts_itself(
    tenants: list[Tenant], assignment: str, rule: str
) -> None:
    create_incident(tenants[0])

    with pytest.raises(DatabaseError, match=rule):
        sql(f"UPDATE operation_incidents SET {assignment}")


def test_a_closed_incident_is_final(tenants: list[Tenant]) -> None:
    create_incident(tenants[0])
    sql("UPDATE operation_incidents SET closed_at = now(), close_reason = 'acknowledged'")

    for assignment in ("closed_at = NULL, close_reason = ''", "runs = 9", "counted_at = now()"):
        with pytest.raises(DatabaseError, match="it is closed"):
            sql(f"UPDATE operation_incidents SET {assignment}")


def test_a_run_joins_only_an_incident_of_its_workspace_and_cause(tenants: list[Tenant]) -> None:
    incident = create_incident(tenants[0])
    other_cause = fail_for(tenants[1], 1, "throttled")
    foreign = fail_for(TenantFactory())

    for run in (other_cause, foreign):
        with pytest.raises(DatabaseError, match="runs_incident_of_cause"):
            sql("UPDATE operation_runs SET incident_id = %s WHERE id = %s", incident.pk, run.pk)
    with pytest.raises(DatabaseError, match="its incident cannot be changed"):
        sql("UPDATE operation_runs SET incident_id = NULL WHERE incident_id IS NOT NULL")


@pytest.mark.django_db(transaction=True)
def test_the_application_cannot_delete_an_incident(app_role: str, tenant: Tenant) -> None:
    create_incident(tenant)

    with psycopg.connect(app_role, autocommit=True) as session:
        for setting in ("", "on"):
            session.execute("SELECT set_config('runledger.pruning', %s, false)", [setting])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("DELETE FROM operation_incidents")
        session.execute("SELECT operation_incidents_remove(%s, now(), 10)", [tenant.workspace_id])

    assert Incident.objects.count() == 1


def test_not_even_the_owner_deletes_an_open_incident(tenants: list[Tenant]) -> None:
    create_incident(tenants[0])

    with (
        allow_pruning(),
        pytest.raises(DatabaseError, match="only retention can delete incidents"),
        transaction.atomic(),
    ):
        sql("DELETE FROM operation_incidents")


# --- races ----------------------------------------------------------------------------------------


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_ticks_and_failing_runs_at_the_same_time_lose_nothing(tenants: list[Tenant]) -> None:
    """Six workers end forty runs each while two ticks update the incidents."""

    def fail_many(number: int) -> None:
        for schedule in range(40):
            fail_for(tenants[number % 5], 1000 * number + schedule)

    def tick() -> None:
        for _ in range(30):
            update_incidents()

    jobs = [*(functools.partial(fail_many, number) for number in range(6)), tick, tick]
    with racing_threads(len(jobs)) as threads:
        threads.race(jobs)
    update_incidents()

    incident = Incident.objects.get()
    assert numbers(incident) == (240, 5, 0, 0)
    assert OperationRun.objects.filter(incident=incident).count() == 240


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_ticks_and_recoveries_at_the_same_time_close_the_incident(tenants: list[Tenant]) -> None:
    for tenant in tenants:
        for schedule in range(10):
            fail_for(tenant, schedule)
    update_incidents()

    def recover(tenant: Tenant) -> None:
        for schedule in range(10):
            succeed_for(tenant, schedule)

    def tick() -> None:
        for _ in range(20):
            update_incidents()

    jobs = [*(functools.partial(recover, tenant) for tenant in tenants), tick, tick]
    with racing_threads(len(jobs)) as threads:
        threads.race(jobs)
    count_again()

    incident = Incident.objects.get()
    assert numbers(incident) == (50, 5, 50, 5)
    assert incident.close_reason == "recovered"
    violated = {result.name for result in check_ledger() if not result.is_kept}
    assert not violated


def test_a_workspace_run_counts_without_a_tenant(
    tenants: list[Tenant], workspace_scoped: OperationRunType
) -> None:
    assert workspace_scoped
    service = OperationRunService()
    for number in range(10):
        request = {"workspace": tenants[0].workspace, "inputs": {"number": number}}
        run = service.dispatch_or_fail(workspace_scoped, **request).run
        service.claim(run.pk, "worker-1")
        service.increment_summary_counts(run.pk, total=1, processed=1, failed=1)
        service.complete(run.pk)

    update_incidents()

    assert numbers(Incident.objects.get()) == (10, 0, 0, 0)
