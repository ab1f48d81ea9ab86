"""Retention removes run details first and runs later, and the guards allow nothing else."""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import InternalError, connection, connections, transaction
from django.db.utils import IntegrityError
from django.utils import timezone

from backups.models import BackupSet
from operations.maintenance import retention
from operations.maintenance.prune import PRUNE, count_removable, dispatch_due, dispatch_prune
from operations.maintenance.retention import (
    Candidate,
    Limits,
    Protected,
    RetentionPolicy,
    Step,
    step_for,
)
from operations.models import (
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunTombstone,
)
from operations.services import OperationRunService
from operations.testing import allow_pruning
from operations.worker import execution
from tests.support.factories import (
    OperationRunEventFactory,
    OperationRunFactory,
    OperationRunItemFactory,
    TenantFactory,
)
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory
from tests.support.factories.operations import create_past_run, prune

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
POLICY = RetentionPolicy(
    default=Limits(30 * DAY, 365 * DAY),
    problem=Limits(180 * DAY, 730 * DAY),
    keep_last=20,
    tombstones=1825 * DAY,
)
YOUNGER = Protected((NOW, 10**9), None)


@pytest.fixture
def keep_none(settings: Settings) -> None:
    """Keep only the newest run of each tenant and type."""
    settings.RUN_KEEP_LAST = 1


def count_details(run: OperationRun) -> int:
    events = OperationRunEvent.objects.filter(run_id=run.pk).count()
    return events + OperationRunItem.objects.filter(run_id=run.pk).count()


# --- the policy -----------------------------------------------------------------------------------


def build_candidate(outcome: str, days: int, **more: Any) -> Candidate:
    at = NOW - days * DAY
    flags = {"is_settled": True, "details_removed": False} | more
    return Candidate(7, at, 1, "t", outcome, at, **flags)


@pytest.mark.parametrize(
    ("outcome", "days", "step"),
    [
        ("succeeded", 29, None),
        ("succeeded", 30, Step.DETAILS),
        ("succeeded", 364, Step.DETAILS),
        ("succeeded", 365, Step.ROW),
        ("cancelled", 30, Step.DETAILS),
        ("cancelled", 365, Step.ROW),
        ("failed", 179, None),
        ("failed", 180, Step.DETAILS),
        ("failed", 730, Step.ROW),
        ("partially_succeeded", 365, Step.DETAILS),
        ("blocked", 729, Step.DETAILS),
        ("blocked", 730, Step.ROW),
    ],
)
def test_details_are_removed_before_the_row_and_problems_later(
    outcome: str, days: int, step: Step | None
) -> None:
    assert step_for(build_candidate(outcome, days), YOUNGER, POLICY, NOW) == step


def test_a_run_that_needs_attention_keeps_its_details_until_its_row_is_removed() -> None:
    waiting = build_candidate("failed", 729, is_settled=False)

    assert step_for(waiting, YOUNGER, POLICY, NOW) is None
    assert step_for(build_candidate("failed", 730, is_settled=False), YOUNGER, POLICY, NOW) is (
        Step.ROW
    )


@pytest.mark.parametrize(
    "protected",
    [Protected(None, None), Protected((NOW - 5001 * DAY, 7), None), Protected((NOW, 10**9), 7)],
    ids=["fewer runs than the limit", "among the newest", "the last success"],
)
def test_the_newest_runs_and_the_last_success_are_kept_at_any_age(protected: Protected) -> None:
    assert step_for(build_candidate("succeeded", 5000), protected, POLICY, NOW) is None


# --- the prune run --------------------------------------------------------------------------------


def test_the_prune_run_removes_old_details_and_old_runs_and_counts_them(tenant, keep_none):
    oldest, old, recent = (
        create_past_run(tenant, 400),
        create_past_run(tenant, 40),
        create_past_run(tenant, 1),
    )

    run = prune(tenant.workspace)

    assert run.outcome == "succeeded"
    assert (run.counts.deleted, run.counts.updated, run.counts.succeeded) == (1, 1, 2)
    assert "Runs removed: 1. Details removed: 1. Tombstones removed: 0. Incidents removed: 0." in [
        event.message for event in run.events.all()
    ]
    assert not OperationRun.objects.filter(pk=oldest.pk).exists()
    assert count_details(oldest) == 0
    old.refresh_from_db()
    assert old.details_removed_at is not None
    assert (count_details(old), count_details(recent)) == (0, 3)
    assert old.summary_counts["succeeded"] == 40


def test_a_second_prune_run_removes_nothing(tenant, keep_none):
    for days in (400, 40, 1):
        create_past_run(tenant, days)
    prune(tenant.workspace)

    second_run = prune(tenant.workspace)

    assert (second_run.counts.deleted, second_run.counts.updated) == (0, 0)


def test_an_active_run_is_kept_at_any_age(tenant, keep_none):
    at = timezone.now() - 4000 * DAY
    running = OperationRunFactory(tenant=tenant, running=True, created_at=at, started_at=at)
    OperationRunEventFactory(run=running, sequence=1)
    create_past_run(tenant, 1)

    prune(tenant.workspace)

    assert count_details(running) == 1
    assert OperationRun.objects.filter(pk=running.pk).exists()


def test_the_newest_runs_of_each_tenant_and_type_are_kept(tenant, settings):
    settings.RUN_KEEP_LAST = 2
    other = TenantFactory(workspace=tenant.workspace)
    tenant_runs = [create_past_run(tenant, days) for days in (900, 800, 700)]
    other_runs = [create_past_run(other, days) for days in (900, 800)]
    other_type = [create_past_run(tenant, 900, type="backup_schedule.retry")]

    prune(tenant.workspace)

    remaining = set(OperationRun.objects.exclude(type=PRUNE).values_list("pk", flat=True))
    assert remaining == {run.pk for run in [*tenant_runs[1:], *other_runs, *other_type]}


def test_the_last_success_is_kept_however_many_failures_follow(tenant, keep_none):
    success, *failures = (
        create_past_run(tenant, 900),
        create_past_run(tenant, 890, "failed"),
        create_past_run(tenant, 880, "failed"),
    )

    prune(tenant.workspace)

    remaining = set(OperationRun.objects.exclude(type=PRUNE).values_list("pk", flat=True))
    assert remaining == {success.pk, failures[-1].pk}


def test_the_predecessors_of_an_active_retry_are_kept(tenant, keep_none):
    first = create_past_run(tenant, 900, "failed")
    second = create_past_run(tenant, 890, "failed", retry_of=first)
    OperationRunFactory(tenant=tenant, running=True, retry_of=second)
    unrelated = create_past_run(tenant, 880, "failed")

    prune(tenant.workspace)

    remaining = set(OperationRun.objects.values_list("pk", flat=True))
    assert {first.pk, second.pk} <= remaining
    assert unrelated.pk not in remaining
    assert (count_details(first), count_details(second)) == (3, 3)


def first_removable_batch(workspace: Any) -> tuple[Step, list[Candidate]]:
    """Return the first batch that retention would remove."""
    batches = retention.find_removable(workspace.pk, RetentionPolicy.configured(), timezone.now())
    return next((step, runs) for step, runs in batches if runs)


@pytest.mark.parametrize("days", [900, 40])
def test_a_retry_that_starts_after_the_selection_keeps_the_run_and_its_details(
    tenant, keep_none, days
):
    old, _ = create_past_run(tenant, days), create_past_run(tenant, 1)
    step, runs = first_removable_batch(tenant.workspace)
    OperationRunFactory(tenant=tenant, running=True, retry_of=old)

    removed = retention.remove_runs(tenant.workspace_id, step, runs)

    old.refresh_from_db()
    assert removed == 0
    assert count_details(old) == 3
    assert old.details_removed_at is None


def test_a_run_whose_retry_starts_during_the_removal_is_marked_as_without_details(
    tenant, keep_none, monkeypatch
):
    old, _ = create_past_run(tenant, 900), create_past_run(tenant, 1)
    step, runs = first_removable_batch(tenant.workspace)
    delete_lines = retention._delete_details

    def delete_lines_and_retry(run_ids: list[int]) -> None:
        delete_lines(run_ids)
        OperationRunFactory(tenant=tenant, running=True, retry_of=old)

    monkeypatch.setattr(retention, "_delete_details", delete_lines_and_retry)

    assert retention.remove_runs(tenant.workspace_id, step, runs) == 0

    old.refresh_from_db()
    assert old.details_removed_at


def test_references_to_a_removed_run_are_set_to_null(tenant, keep_none):
    pruned_run = create_past_run(tenant, 900)
    retry = create_past_run(tenant, 1, retry_of=pruned_run)
    backup_set = BackupSetFactory(
        schedule=BackupScheduleFactory(tenant=tenant), operation_run=pruned_run
    )

    prune(tenant.workspace)

    retry.refresh_from_db()
    assert retry.retry_of_id is None
    assert BackupSet.objects.get(pk=backup_set.pk).operation_run_id is None


def test_another_workspace_is_not_pruned(tenant, keep_none):
    other_tenant = TenantFactory()
    old = [create_past_run(other_tenant, days) for days in (900, 800)]

    prune(tenant.workspace)

    assert OperationRun.objects.filter(pk__in=[run.pk for run in old]).count() == 2


def test_a_tombstone_replaces_a_removed_run_until_it_is_old_enough(tenant, keep_none, settings):
    pruned_run = create_past_run(tenant, 900)
    create_past_run(tenant, 1)
    prune(tenant.workspace)
    tombstone = OperationRunTombstone.objects.get(pk=pruned_run.pk)
    assert (tombstone.type, tombstone.outcome, tombstone.tenant_id) == (
        pruned_run.type,
        "succeeded",
        tenant.pk,
    )
    assert tombstone.counts == pruned_run.summary_counts

    old = OperationRunTombstone.objects.create(
        id=pruned_run.pk + 1_000_000,
        workspace=tenant.workspace,
        type=pruned_run.type,
        outcome="succeeded",
        created_at=pruned_run.created_at,
        completed_at=pruned_run.created_at,
        pruned_at=timezone.now() - 2 * DAY,
    )

    removed = retention.remove_old_tombstones(tenant.workspace_id, timezone.now() + DAY)

    assert removed == 1, "a tombstone stays for a day at least"
    assert not OperationRunTombstone.objects.filter(pk=old.pk).exists()
    assert OperationRunTombstone.objects.filter(pk=tombstone.pk).exists()


def test_many_runs_are_removed_in_several_batches(tenant, keep_none, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "MAX_DELETED_ROWS", 2)
    for days in range(900, 908):
        create_past_run(tenant, days)

    run = prune(tenant.workspace)

    assert run.counts.deleted == 7


def test_a_cancelled_prune_run_stops_between_two_batches_and_reports_its_progress(
    tenant, keep_none, monkeypatch, owner
):
    monkeypatch.setattr(retention, "BATCH", 2)
    for days in range(900, 907):
        create_past_run(tenant, days)
    run = dispatch_prune(tenant.workspace).run
    remove_runs, calls = retention.remove_runs, Counter[str]()

    def cancel_after_one(workspace_id: int, step: Step, runs: list[Candidate]) -> int:
        removed = remove_runs(workspace_id, step, runs)
        calls["n"] += 1
        OperationRunService().request_cancel(OperationRun.objects.get(pk=run.pk), by=owner)
        return removed

    monkeypatch.setattr(retention, "remove_runs", cancel_after_one)
    monkeypatch.setattr("operations.worker.active_run.FLUSH_SECONDS", 0)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == "cancelled"
    assert (run.counts.deleted, calls["n"]) == (2, 1)
    assert OperationRun.objects.exclude(type=PRUNE).count() == 5


# --- the guards -----------------------------------------------------------------------------------


def sql(statement: str, *parameters: Any, pruning: bool = False) -> None:
    permission = allow_pruning() if pruning else transaction.atomic()
    with permission, connection.cursor() as cursor:
        cursor.execute(statement, parameters)


MARK_DETAILS_REMOVED = "UPDATE operation_runs SET details_removed_at = now() WHERE id = %s"
REFUSED = (InternalError, IntegrityError)


def test_only_retention_can_mark_details_as_removed(tenant):
    run = create_past_run(tenant, 40)

    with pytest.raises(REFUSED, match="only retention"):
        sql(MARK_DETAILS_REMOVED, run.pk)
    sql(MARK_DETAILS_REMOVED, run.pk, pruning=True)
    with pytest.raises(REFUSED, match="only retention"):
        sql("UPDATE operation_runs SET details_removed_at = NULL", pruning=True)


def test_the_details_of_an_active_run_cannot_be_removed(tenant):
    running = OperationRunFactory(tenant=tenant, running=True)
    OperationRunEventFactory(run=running, sequence=1)
    OperationRunItemFactory(run=running)

    for table in ("operation_run_events", "operation_run_items"):
        with pytest.raises(REFUSED, match="the run is active"):
            sql(f"DELETE FROM {table} WHERE run_id = %s", running.pk, pruning=True)
    with pytest.raises(REFUSED, match="only retention"):
        sql(MARK_DETAILS_REMOVED, running.pk, pruning=True)


def test_tombstones_are_append_only(tenant, keep_none):
    pruned_run = create_past_run(tenant, 900)
    create_past_run(tenant, 1)
    prune(tenant.workspace)

    with pytest.raises(REFUSED, match="append-only"):
        sql("UPDATE operation_run_tombstones SET outcome = 'failed'", pruning=True)
    with pytest.raises(REFUSED, match="append-only"):
        sql("DELETE FROM operation_run_tombstones")
    assert OperationRunTombstone.objects.filter(pk=pruned_run.pk).exists()


@contextmanager
def row_lock_on(run: OperationRun) -> Iterator[None]:
    """Lock the row in another transaction, as a foreign key to the run does."""
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM operation_runs WHERE id = %s FOR KEY SHARE", [run.pk])
        yield
        other.rollback()
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
def test_a_locked_row_is_skipped(tenant, keep_none):
    locked, unlocked = create_past_run(tenant, 900), create_past_run(tenant, 890)
    create_past_run(tenant, 1)

    with row_lock_on(locked):
        run = prune(tenant.workspace)

    assert run.counts.deleted == 1
    remaining = set(OperationRun.objects.values_list("pk", flat=True))
    assert locked.pk in remaining
    assert unlocked.pk not in remaining


# --- the daily prune run --------------------------------------------------------------------------


def test_five_beats_start_one_prune_run_per_day_and_workspace(tenant, keep_none):
    create_past_run(tenant, 900)
    evening = timezone.now().replace(hour=23, minute=30)

    results = [result for _ in range(5) for result in dispatch_due(evening)]

    assert [result.run.workspace_id for result in results] == [tenant.workspace_id]
    execution.execute(results[0].run.pk)
    assert dispatch_due(evening) == []


def test_the_database_allows_one_prune_run_per_day(tenant, keep_none, monkeypatch):
    create_past_run(tenant, 900)
    evening = timezone.now().replace(hour=23, minute=30)
    (first,) = dispatch_due(evening)
    execution.execute(first.run.pk)
    monkeypatch.setattr(
        "operations.maintenance.prune._due_workspaces", lambda _: [tenant.workspace]
    )

    assert dispatch_due(evening) == []
    assert OperationRun.objects.filter(type=PRUNE).count() == 1


def test_a_workspace_without_old_runs_is_not_pruned(tenant):
    create_past_run(tenant, 29)

    assert dispatch_due(timezone.now().replace(hour=23, minute=30)) == []


def test_workspaces_are_pruned_at_different_times(tenant, keep_none, monkeypatch):
    create_past_run(tenant, 900)
    monkeypatch.setattr("operations.maintenance.prune._start_time", lambda *_: timezone.now() + DAY)
    assert dispatch_due(timezone.now()) == []

    monkeypatch.undo()
    assert len(dispatch_due(timezone.now().replace(hour=23, minute=30))) == 1


# --- the command ----------------------------------------------------------------------------------


def run_prune_command(*options: str) -> str:
    out = io.StringIO()
    call_command("runs", "prune", *options, stdout=out)
    return out.getvalue()


def test_a_dry_run_counts_and_changes_nothing(tenant, keep_none):
    for days, trait in ((900, "failed"), (400, "succeeded"), (40, "cancelled"), (1, "succeeded")):
        create_past_run(tenant, days, trait)
    before = OperationRunEvent.objects.count()

    output = run_prune_command("--workspace", "contoso", "--dry-run")

    assert output.splitlines() == [
        "Runs to remove: 2 (1 failed, 1 succeeded)",
        "Runs to remove the details of: 1 (1 cancelled)",
    ]
    assert OperationRunEvent.objects.count() == before
    assert OperationRun.objects.count() == 4
    assert count_removable(tenant.workspace, RetentionPolicy.configured())[Step.ROW].total() == 2


def test_the_command_starts_the_run_or_names_the_active_one(tenant):
    assert "was started" in run_prune_command("--workspace", "contoso")
    assert "is already active" in run_prune_command("--workspace", "contoso")


def test_the_command_lists_the_workspaces(tenant):
    with pytest.raises(CommandError, match="contoso"):
        run_prune_command()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("RUN_KEEP_DAYS", 0, "operations.E003"),
        ("RUN_KEEP_LAST", -1, "operations.E003"),
        ("RUN_TOMBSTONE_DAYS", 10**9, "operations.E003"),
        ("RUN_KEEP_DETAILS_DAYS", 366, "operations.E004"),
        ("RUN_KEEP_PROBLEM_DAYS", 100, "operations.E004"),
    ],
)
def test_an_invalid_limit_fails_the_system_checks(settings, name, value, problem):
    setattr(settings, name, value)

    assert problem in {message.id for message in run_checks()}
