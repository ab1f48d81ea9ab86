"""During a deployment, workers of one version use the tables and runs of the next."""

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
from tests.support.factories.operations import create_queued_run, event_kinds

pytestmark = pytest.mark.django_db

UseHandler = Callable[..., None]


def add_columns_of_next_version() -> None:
    """Add two columns to every table of the ledger."""
    with connection.cursor() as cursor:
        # A table with deferred checks pending in this transaction cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for model in apps.get_app_config("operations").get_models():
            cursor.execute(
                f"ALTER TABLE {model._meta.db_table} ADD COLUMN added_later text,"
                f" ADD COLUMN counted_later int DEFAULT 0 NOT NULL"
            )


def test_an_older_worker_runs_on_newer_tables(
    tenant: Tenant, operator: User, use_handler: UseHandler
) -> None:
    """This includes a run that was started before the migration."""
    service = OperationRunService()
    earlier_run = service.claim(create_queued_run(tenant, 1).pk, "worker-1")
    assert earlier_run

    def backup(active: ActiveRun) -> None:
        active.expect(1)
        active.report_success("a")
        active.add_note("Read.")

    use_handler(backup)
    add_columns_of_next_version()
    run = create_queued_run(tenant, 2)
    execution.execute(run.pk)
    service.increment_summary_counts(earlier_run.pk, total=1, processed=1, failed=1)
    retry = service.retry(service.complete(earlier_run.pk), by=operator).run

    run.refresh_from_db()
    assert (run.outcome, event_kinds(run)) == (
        RunOutcome.SUCCEEDED,
        ["created", "started", "note", "ended"],
    )
    assert retry.is_queued


def test_a_run_of_an_unknown_type_fails_visibly(
    tenant: Tenant,
) -> None:
    run = OperationRunFactory(tenant=tenant, type="backup.of_a_newer_version")

    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert run.failures[0]["code"]
    assert event_kinds(run) == ["started", "ended"]


def test_a_relay_does_not_publish_runs_of_an_unknown_type(tenant: Tenant, broker: Broker) -> None:
    run = OperationRunFactory(tenant=tenant, type="backup.of_a_newer_version")

    assert relay_once() == 0

    run.refresh_from_db()
    assert run.is_queued
    assert broker.waiting() == 0
    assert OperationRun.objects.get(pk=run.pk).next_publish_at
