"""During a deployment, workers of one version meet the tables and the runs of the next."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import connection

from operations.delivery.relay import relay_once
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.worker import execution
from operations.worker.active_run import ActiveRun
from tenancy.models import Tenant, User
from tests.support.broker import Broker
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import a_queued_run, event_kinds

pytestmark = pytest.mark.django_db

Handled = Callable[..., None]


def migrate_to_the_next_version() -> None:
    """Two columns more on every table of the ledger."""
    with connection.cursor() as cursor:
        # The transaction of the test owes checks, with which no table can be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for model in apps.get_app_config("operations").get_models():
            cursor.execute(
                f"ALTER TABLE {model._meta.db_table} ADD COLUMN added_later text,"
                f" ADD COLUMN counted_later int DEFAULT 0 NOT NULL"
            )


def test_an_older_worker_works_on_newer_tables(
    tenant: Tenant, operator: User, use_handler: Handled
) -> None:
    """Also with a run that it had begun before."""
    service = OperationRunService()
    begun_before = service.claim(a_queued_run(tenant, 1).pk, "worker-1")
    assert begun_before

    def backup(active: ActiveRun) -> None:
        active.expect(1)
        active.report_success("a")
        active.add_note("Read.")

    use_handler(backup)
    migrate_to_the_next_version()
    run = a_queued_run(tenant, 2)
    execution.execute(run.pk)
    service.increment_summary_counts(begun_before.pk, total=1, processed=1, failed=1)
    retry = service.retry(service.complete(begun_before.pk), by=operator).run

    run.refresh_from_db()
    assert (run.outcome, event_kinds(run)) == (
        RunOutcome.SUCCEEDED,
        ["created", "started", "note", "ended"],
    )
    assert retry.is_queued


def test_a_run_of_a_type_that_a_worker_does_not_know_ends_visibly_if_it_gets_it(
    tenant: Tenant,
) -> None:
    run = OperationRunFactory(tenant=tenant, type="backup.of_a_newer_version")

    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert run.failures[0]["code"]
    assert event_kinds(run) == ["started", "ended"]


def test_an_older_relay_leaves_runs_of_a_newer_type_to_a_newer_one(
    tenant: Tenant, broker: Broker
) -> None:
    run = OperationRunFactory(tenant=tenant, type="backup.of_a_newer_version")

    assert relay_once() == 0

    run.refresh_from_db()
    assert run.is_queued
    assert broker.waiting() == 0
    assert OperationRun.objects.get(pk=run.pk).next_publish_at
