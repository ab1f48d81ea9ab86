"""Hosts whose clock is wrong: every stored time and every decision follows the database."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from backups import freshness, services
from backups.models import BackupItem, BackupSchedule, BackupSet, PolicyExport
from backups.retention import expired_sets
from inventory.models import Policy
from inventory.selection import Selection
from inventory.services import start_sync
from operations.maintenance import health, integrity
from operations.models import OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import Ending
from operations.testing import allow_pruning, run_now
from operations.types import OperationRunType
from providers.models import CredentialKind
from providers.services import rotate_credential, start_check
from restores import services as restores
from restores.models import RestoreRun
from restores.reading import is_possibly_created
from tenancy.db import database_now
from tenancy.models import User, Workspace
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import PolicyExportFactory
from tests.support.factories.operations import create_queued_run
from tests.support.restores import RestoreScenario, change_object
from tests.support.sandbox import SECRET
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
WRONG_CLOCKS = pytest.mark.parametrize("days", [-100, 30], ids=["behind", "ahead"])
#: Times that come from elsewhere or lie in the future, and those that only staff see.
NOT_STAMPED = {
    "backup_items.last_modified_at", "backup_schedules.next_run_at", "policy_exports.expires_at",
    "operation_runs.next_publish_at", "backup_schedules.updated_at", "users.date_joined",
    "provider_connections.updated_at", "policies.last_modified_at", "sessions.expires_at",
    "memberships.role_since",  # the factory makes roles old enough to approve
    "restore_runs.preview_expires_at", "restore_runs.approval_expires_at",
}  # fmt: skip


@contextmanager
def wrong_clock(days: int) -> Iterator[None]:
    """Set the clock of this process wrong; the database's clock stays right."""
    with time_machine.travel(database_now() + days * DAY, tick=True):
        yield


def stored_times() -> Iterator[tuple[str, dt.datetime, dt.datetime]]:
    """The name, the earliest and the latest value of each column with times."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns JOIN"
            " information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type = 'timestamp with time zone' AND table_name <> 'django_migrations'"
        )
        for table, column in cursor.fetchall():
            cursor.execute(f"SELECT min({column}), max({column}) FROM {table}")
            first, last = cursor.fetchone()
            if first:
                yield f"{table}.{column}", first, last


def do_everything(scenario: RestoreScenario, owner: User) -> None:
    """Back up, add, export, check, preview, approve, execute, discard, fail and cancel."""
    tenant, operator = scenario.tenant, scenario.operator
    scenario.back_up(scenario.schedule)
    run_now(start_sync(OperationRunType.INVENTORY_SYNC, tenant, by=operator).run)
    policies = Policy.objects.with_scope().filter(kind="compliance")
    selection = Selection({tenant: list(policies)})
    for result in services.add_policies(selection, "Selected", by=operator):
        assert run_now(result.run).outcome == "succeeded"
    for result in services.export_policies(selection, by=operator):
        assert run_now(result.run).outcome == "succeeded"
    default = tenant.connections.get()
    rotate_credential(default, kind=CredentialKind.SECRET, plaintext=SECRET, expires_on=None)
    run_now(start_check(default, by=operator).run)

    tenant.workspace.restores_need_approval = True
    tenant.workspace.save()
    item = change_object(scenario)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    digest = restores.decision_digest_of(restore)
    restores.approve(restore, by=owner, decision_digest=digest)
    scenario.execute(restore)
    restores.discard(scenario.preview([item]))

    service = OperationRunService()
    failed = create_queued_run(tenant)
    service.claim(failed.pk, "worker-1")
    service.complete(failed.pk, ending=Ending.ERROR, error=SafeError("worker_lost"))
    service.acknowledge(OperationRun.objects.get(pk=failed.pk), by=operator)
    service.request_cancel(create_queued_run(tenant), by=operator)
    integrity.check_ledger()


@WRONG_CLOCKS
def test_every_stored_time_is_the_databases(
    scenario: RestoreScenario, owner: User, days: int
) -> None:
    with wrong_clock(days):
        do_everything(scenario, owner)

    now = database_now()
    times = {name: span for name, *span in stored_times() if name not in NOT_STAMPED}
    wrong = {name: span for name, span in times.items() if span[0] < now - HOUR or span[1] > now}
    assert wrong == {}
    assert {"backup_items.captured_at", "restore_runs.approved_at", "restore_items.intent_at",
            "provider_connections.checked_at", "provider_connections.credential_set_at",
            "backup_sets.ended_at", "policy_exports.created_at"} <= set(times)  # fmt: skip
    failures = [entry for run in OperationRun.objects.all() for entry in run.failure_summary]
    assert failures
    for entry in failures:
        assert now - HOUR < dt.datetime.fromisoformat(entry["first_at"]) <= now


def test_a_backup_by_a_worker_100_days_behind_keeps_its_set(scenario: RestoreScenario) -> None:
    limits = {"retention_keep_sets": 1, "retention_keep_days": 90}
    BackupSchedule.objects.filter(pk=scenario.schedule.pk).update(**limits)
    with wrong_clock(-100):
        run = scenario.back_up(scenario.schedule)

    assert run.outcome == "succeeded"
    assert BackupSet.objects.filter(operation_run=run).exists()
    assert expired_sets(scenario.schedule) == []


def test_a_backup_by_a_worker_30_days_ahead_is_not_fresh_for_a_month(
    scenario: RestoreScenario,
) -> None:
    with allow_pruning():
        BackupItem.objects.all().delete()
        BackupSet.objects.all().delete()
    with wrong_clock(30):
        scenario.back_up(scenario.schedule)

    (row,) = freshness.freshness_of(scenario.tenant.workspace)

    assert row.age is not None
    assert dt.timedelta() <= row.age < HOUR
    assert not row.is_late
    with wrong_clock(-30):
        assert not freshness.freshness_of(scenario.tenant.workspace)[0].is_late


@WRONG_CLOCKS
def test_an_export_expires_by_the_clock_of_the_database(
    scenario: RestoreScenario, client: Client, days: int, settings: Any
) -> None:
    settings.POLICY_EXPORT_KEEP_DAYS = 7
    now = database_now()
    current = PolicyExportFactory(tenant=scenario.tenant, expires_at=now + DAY)
    expired = PolicyExportFactory(tenant=scenario.tenant, expires_at=now - DAY)
    with wrong_clock(days):
        assert (current.is_expired, expired.is_expired) == (False, True)
        run_now(
            start_sync(OperationRunType.INVENTORY_SYNC, scenario.tenant, by=scenario.operator).run
        )
        policies = list(Policy.objects.with_scope().filter(kind="compliance"))
        (result,) = services.export_policies(
            Selection({scenario.tenant: policies}), by=scenario.operator
        )
        export = PolicyExport.objects.get(operation_run=run_now(result.run))

    assert now + 7 * DAY <= export.expires_at < now + 7 * DAY + HOUR


@WRONG_CLOCKS
def test_a_preview_of_a_host_with_a_wrong_clock_finds_recent_attempts(
    scenario: RestoreScenario, days: int
) -> None:
    """An attempt of an unknown outcome is one for an hour, by the clock of the database."""
    item = scenario.items("compliance")[0]
    scenario.delete(item)
    restore = scenario.preview([item])
    restore_item = restore.items.get()
    RestoreRun.objects.filter(pk=restore.pk).update(status="executing", is_dry_run=False,
                                                    executed_at=database_now())  # fmt: skip
    for state in ("intent", "unknown"):
        restore.items.update(state=state, ended_at=database_now())

    with wrong_clock(days):
        assert is_possibly_created(scenario.tenant.pk, restore_item)


@WRONG_CLOCKS
def test_pages_show_ages_by_the_clock_of_the_database(
    scenario: RestoreScenario, client: Client, days: int
) -> None:
    run = OperationRunFactory(tenant=scenario.tenant, running=True)
    open_session(client, scenario.operator)
    before = database_now()
    with wrong_clock(days):
        client.cookies.clear()
        open_session(client, scenario.operator)
        html = client.get(run.get_absolute_url()).content.decode()
        overview = client.get("/w/contoso/").content.decode()
        assert not run.lease_expired
        assert run.duration is not None
        assert dt.timedelta() <= run.duration < HOUR

    (now,) = re.findall('data-now="([^"]+)"', html)
    assert before.replace(microsecond=0) <= dt.datetime.fromisoformat(now) <= database_now()
    assert "days ago" not in html + overview
    assert "in 30 d" not in html + overview


@WRONG_CLOCKS
def test_health_reports_a_ledger_check_by_the_clock_of_the_database(
    workspace: Workspace, days: int
) -> None:
    integrity.check_ledger()

    with wrong_clock(days):
        assert health._check_ledger() == "ok"


@WRONG_CLOCKS
def test_a_credential_expires_by_the_date_of_the_database(
    scenario: RestoreScenario, days: int
) -> None:
    connection = scenario.tenant.connections.get()
    connection.credential_expires_on = database_now().date() + 60 * DAY
    with wrong_clock(days):
        assert not connection.credential_has_expired
        assert not connection.credential_expires_soon
    connection.credential_expires_on = database_now().date() - DAY
    with wrong_clock(days):
        assert connection.credential_has_expired
