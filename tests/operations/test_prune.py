"""Retention: what goes, in which order, and what stays whoever asks."""

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
from operations.worker import execution
from tests.support.factories import (
    OperationRunEventFactory,
    OperationRunFactory,
    OperationRunItemFactory,
    TenantFactory,
)
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory
from tests.support.factories.operations import a_past_run, prune

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
    """Keep only the very newest of each tenant and type."""
    settings.RUN_KEEP_LAST = 1


def lines(run: OperationRun) -> int:
    events = OperationRunEvent.objects.filter(run_id=run.pk).count()
    return events + OperationRunItem.objects.filter(run_id=run.pk).count()


# --- the rule ---------------------------------------------------------------------------------------


def candidate(outcome: str, days: int, **more: Any) -> Candidate:
    at = NOW - days * DAY
    facts = {"is_acknowledged": True, "details_removed": False} | more
    return Candidate(7, at, 1, "t", outcome, at, **facts)


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
def test_details_go_before_the_row_and_problems_stay_longer(
    outcome: str, days: int, step: Step | None
) -> None:
    assert step_for(candidate(outcome, days), YOUNGER, POLICY, NOW) == step


def test_what_still_needs_attention_keeps_its_details_as_long_as_its_row() -> None:
    waiting = candidate("failed", 729, is_acknowledged=False)

    assert step_for(waiting, YOUNGER, POLICY, NOW) is None
    assert step_for(candidate("failed", 730, is_acknowledged=False), YOUNGER, POLICY, NOW) is (
        Step.ROW
    )


@pytest.mark.parametrize(
    "kept",
    [Protected(None, None), Protected((NOW - 5001 * DAY, 7), None), Protected((NOW, 10**9), 7)],
    ids=["few in all", "among the newest", "the last success"],
)
def test_the_newest_and_the_last_success_stay_however_old(kept: Protected) -> None:
    assert step_for(candidate("succeeded", 5000), kept, POLICY, NOW) is None


# --- the run ----------------------------------------------------------------------------------------


def test_old_details_and_old_runs_go_and_the_run_says_how_many(tenant, keep_none):
    ancient, old, fresh = a_past_run(tenant, 400), a_past_run(tenant, 40), a_past_run(tenant, 1)

    run = prune(tenant.workspace)

    assert run.outcome == "succeeded"
    assert (run.counts.deleted, run.counts.updated, run.counts.succeeded) == (1, 1, 2)
    assert "Runs removed: 1. Details removed: 1. Tombstones removed: 0." in [
        event.message for event in run.events.all()
    ]
    assert not OperationRun.objects.filter(pk=ancient.pk).exists()
    assert lines(ancient) == 0
    old.refresh_from_db()
    assert old.details_removed_at is not None
    assert (lines(old), lines(fresh)) == (0, 3)
    assert old.summary_counts["succeeded"] == 40


def test_a_second_time_finds_nothing_left_to_do(tenant, keep_none):
    for days in (400, 40, 1):
        a_past_run(tenant, days)
    prune(tenant.workspace)

    again = prune(tenant.workspace)

    assert (again.counts.deleted, again.counts.updated) == (0, 0)


def test_an_active_run_stays_however_old(tenant, keep_none):
    at = timezone.now() - 4000 * DAY
    running = OperationRunFactory(tenant=tenant, running=True, created_at=at, started_at=at)
    OperationRunEventFactory(run=running, sequence=1)
    a_past_run(tenant, 1)

    prune(tenant.workspace)

    assert lines(running) == 1
    assert OperationRun.objects.filter(pk=running.pk).exists()


def test_the_newest_of_each_tenant_and_type_stay(tenant, settings):
    settings.RUN_KEEP_LAST = 2
    other = TenantFactory(workspace=tenant.workspace)
    mine = [a_past_run(tenant, days) for days in (900, 800, 700)]
    theirs = [a_past_run(other, days) for days in (900, 800)]
    typed = [a_past_run(tenant, 900, type="backup_schedule.retry")]

    prune(tenant.workspace)

    left = set(OperationRun.objects.exclude(type=PRUNE).values_list("pk", flat=True))
    assert left == {run.pk for run in [*mine[1:], *theirs, *typed]}


def test_the_last_success_stays_behind_any_number_of_failures(tenant, keep_none):
    success, *failures = (
        a_past_run(tenant, 900),
        a_past_run(tenant, 890, "failed"),
        a_past_run(tenant, 880, "failed"),
    )

    prune(tenant.workspace)

    left = set(OperationRun.objects.exclude(type=PRUNE).values_list("pk", flat=True))
    assert left == {success.pk, failures[-1].pk}


def test_what_an_active_retry_descends_from_stays(tenant, keep_none):
    first = a_past_run(tenant, 900, "failed")
    second = a_past_run(tenant, 890, "failed", retry_of=first)
    OperationRunFactory(tenant=tenant, running=True, retry_of=second)
    lonely = a_past_run(tenant, 880, "failed")

    prune(tenant.workspace)

    left = set(OperationRun.objects.values_list("pk", flat=True))
    assert {first.pk, second.pk} <= left
    assert lonely.pk not in left
    assert (lines(first), lines(second)) == (3, 3)


def may_go(workspace: Any) -> tuple[Step, list[Candidate]]:
    """The first batch that retention finds."""
    found = retention.find_removable(workspace.pk, RetentionPolicy.configured(), timezone.now())
    return next((step, runs) for step, runs in found if runs)


@pytest.mark.parametrize("days", [900, 40])
def test_a_retry_that_begins_after_the_look_keeps_the_run_and_its_details(tenant, keep_none, days):
    old, _ = a_past_run(tenant, days), a_past_run(tenant, 1)
    step, runs = may_go(tenant.workspace)
    OperationRunFactory(tenant=tenant, running=True, retry_of=old)

    removed = retention.remove_runs(tenant.workspace_id, step, runs)

    old.refresh_from_db()
    assert removed == 0
    assert lines(old) == 3
    assert old.details_removed_at is None


def test_a_run_whose_retry_begins_while_its_details_go_says_where_they_are(
    tenant, keep_none, monkeypatch
):
    old, _ = a_past_run(tenant, 900), a_past_run(tenant, 1)
    step, runs = may_go(tenant.workspace)
    delete_lines = retention._delete_details

    def delete_lines_and_retry(table: str, run_ids: list[int]) -> None:
        delete_lines(table, run_ids)
        OperationRunFactory(tenant=tenant, running=True, retry_of=old)

    monkeypatch.setattr(retention, "_delete_details", delete_lines_and_retry)

    assert retention.remove_runs(tenant.workspace_id, step, runs) == 0

    old.refresh_from_db()
    assert old.details_removed_at


def test_what_referred_to_a_removed_run_stays_and_refers_to_nothing(tenant, keep_none):
    gone = a_past_run(tenant, 900)
    retry = a_past_run(tenant, 1, retry_of=gone)
    backup_set = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant), operation_run=gone)

    prune(tenant.workspace)

    retry.refresh_from_db()
    assert retry.retry_of_id is None
    assert BackupSet.objects.get(pk=backup_set.pk).operation_run_id is None


def test_another_workspace_is_left_alone(tenant, keep_none):
    elsewhere = TenantFactory()
    old = [a_past_run(elsewhere, days) for days in (900, 800)]

    prune(tenant.workspace)

    assert OperationRun.objects.filter(pk__in=[run.pk for run in old]).count() == 2


def test_a_tombstone_stands_in_its_place_until_it_is_old_itself(tenant, keep_none, settings):
    gone = a_past_run(tenant, 900)
    a_past_run(tenant, 1)
    prune(tenant.workspace)
    stone = OperationRunTombstone.objects.get(pk=gone.pk)
    assert (stone.type, stone.outcome, stone.tenant_id) == (gone.type, "succeeded", tenant.pk)
    assert stone.counts == gone.summary_counts

    before = timezone.now() + DAY
    removed = retention.remove_old_tombstones(tenant.workspace_id, before)

    assert removed == 1
    assert not OperationRunTombstone.objects.exists()


def test_more_than_a_batch_goes_in_several(tenant, keep_none, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "MAX_DELETED_ROWS", 2)
    for days in range(900, 908):
        a_past_run(tenant, days)

    run = prune(tenant.workspace)

    assert run.counts.deleted == 7


def test_it_stops_between_two_batches_and_says_how_far_it_came(
    tenant, keep_none, monkeypatch, owner
):
    monkeypatch.setattr(retention, "BATCH", 2)
    for days in range(900, 907):
        a_past_run(tenant, days)
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


# --- the guards -------------------------------------------------------------------------------------


def sql(statement: str, *parameters: Any, pruning: bool = False) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.pruning', '', true)")
        if pruning:
            retention.allow_pruning()
        cursor.execute(statement, parameters)


MARK = "UPDATE operation_runs SET details_removed_at = now() WHERE id = %s"
REFUSED = (InternalError, IntegrityError)


def test_the_database_lets_only_retention_say_that_details_are_gone(tenant):
    run = a_past_run(tenant, 40)

    with pytest.raises(REFUSED, match="only retention"):
        sql(MARK, run.pk)
    sql(MARK, run.pk, pruning=True)
    with pytest.raises(REFUSED, match="only retention"):
        sql("UPDATE operation_runs SET details_removed_at = NULL", pruning=True)


def test_the_database_keeps_the_details_of_an_active_run(tenant):
    running = OperationRunFactory(tenant=tenant, running=True)
    OperationRunEventFactory(run=running, sequence=1)
    OperationRunItemFactory(run=running)

    for table in ("operation_run_events", "operation_run_items"):
        with pytest.raises(REFUSED, match="the run is active"):
            sql(f"DELETE FROM {table} WHERE run_id = %s", running.pk, pruning=True)
    with pytest.raises(REFUSED, match="only retention"):
        sql(MARK, running.pk, pruning=True)


def test_the_database_keeps_a_tombstone_as_it_is(tenant, keep_none):
    gone = a_past_run(tenant, 900)
    a_past_run(tenant, 1)
    prune(tenant.workspace)

    with pytest.raises(REFUSED, match="append-only"):
        sql("UPDATE operation_run_tombstones SET outcome = 'failed'", pruning=True)
    with pytest.raises(REFUSED, match="append-only"):
        sql("DELETE FROM operation_run_tombstones")
    assert OperationRunTombstone.objects.filter(pk=gone.pk).exists()


@contextmanager
def somebody_holding(run: OperationRun) -> Iterator[None]:
    """A transaction of somebody else's that is about to refer to the run."""
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
def test_a_row_that_somebody_holds_is_left_for_the_next_time(tenant, keep_none):
    held, free = a_past_run(tenant, 900), a_past_run(tenant, 890)
    a_past_run(tenant, 1)

    with somebody_holding(held):
        run = prune(tenant.workspace)

    assert run.counts.deleted == 1
    left = set(OperationRun.objects.values_list("pk", flat=True))
    assert held.pk in left
    assert free.pk not in left


# --- once a day -------------------------------------------------------------------------------------


def test_five_beats_start_one_run_a_day_for_each_workspace(tenant, keep_none):
    a_past_run(tenant, 900)
    evening = timezone.now().replace(hour=23, minute=30)

    started = [result for _ in range(5) for result in dispatch_due(evening)]

    assert [result.run.workspace_id for result in started] == [tenant.workspace_id]
    execution.execute(started[0].run.pk)
    assert dispatch_due(evening) == []


def test_the_day_is_the_databases_word_even_where_the_look_before_saw_nothing(
    tenant, keep_none, monkeypatch
):
    a_past_run(tenant, 900)
    evening = timezone.now().replace(hour=23, minute=30)
    (first,) = dispatch_due(evening)
    execution.execute(first.run.pk)
    monkeypatch.setattr(
        "operations.maintenance.prune._due_workspaces", lambda _: [tenant.workspace]
    )

    assert dispatch_due(evening) == []
    assert OperationRun.objects.filter(type=PRUNE).count() == 1


def test_a_workspace_with_nothing_old_is_left_in_peace(tenant):
    a_past_run(tenant, 29)

    assert dispatch_due(timezone.now().replace(hour=23, minute=30)) == []


def test_workspaces_take_turns(tenant, keep_none, monkeypatch):
    a_past_run(tenant, 900)
    monkeypatch.setattr("operations.maintenance.prune._start_time", lambda *_: timezone.now() + DAY)
    assert dispatch_due(timezone.now()) == []

    monkeypatch.undo()
    assert len(dispatch_due(timezone.now().replace(hour=23, minute=30))) == 1


# --- by hand ----------------------------------------------------------------------------------------


def command(*options: str) -> str:
    out = io.StringIO()
    call_command("runs", "prune", *options, stdout=out)
    return out.getvalue()


def test_a_dry_run_counts_and_touches_nothing(tenant, keep_none):
    for days, trait in ((900, "failed"), (400, "succeeded"), (40, "cancelled"), (1, "succeeded")):
        a_past_run(tenant, days, trait)
    before = OperationRunEvent.objects.count()

    told = command("--workspace", "contoso", "--dry-run")

    assert told.splitlines() == [
        "Runs to remove: 2 (1 failed, 1 succeeded)",
        "Runs to remove the details of: 1 (1 cancelled)",
    ]
    assert OperationRunEvent.objects.count() == before
    assert OperationRun.objects.count() == 4
    assert count_removable(tenant.workspace, RetentionPolicy.configured())[Step.ROW].total() == 2


def test_the_command_starts_the_run_or_names_the_active_one(tenant):
    assert "was started" in command("--workspace", "contoso")
    assert "is already active" in command("--workspace", "contoso")


def test_the_command_says_which_workspaces_there_are(tenant):
    with pytest.raises(CommandError, match="contoso"):
        command()


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
def test_a_senseless_limit_stops_the_start(settings, name, value, problem):
    setattr(settings, name, value)

    assert problem in {found.id for found in run_checks()}
