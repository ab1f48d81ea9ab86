"""The demo workspace “fleet”: Runledger could have had its past, and continues it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, F, Q
from django.test import Client

from backups import services
from backups.changes import changes_of, previous_of
from backups.models import BackupItem, BackupSchedule, BackupSet, PolicyChange, SetStatus
from backups.tick import tick
from operations.counts import COUNT_KEYS
from operations.maintenance import settling
from operations.maintenance.integrity import check_invariants
from operations.models import (
    PROBLEM,
    Incident,
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunQuerySet,
)
from operations.services import OperationRunService
from operations.states import Ending, ItemOutcome, RunOutcome, derive_outcome
from operations.types import OperationRunType
from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence
from providers.models import ConnectionStatus, ProviderConnection
from tenancy.db import database_now
from tenancy.models import Tenant, User, Workspace
from tests.dev.demo.conftest import TENANTS

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db
BACKUP = OperationRunType.BACKUP_SCHEDULE_SCHEDULED


def runs_of(fleet: Workspace) -> OperationRunQuerySet:
    return OperationRun.objects.filter(workspace=fleet)


def test_the_ledger_check_finds_nothing(fleet: Workspace) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    broken = {each.name: each.summary for each in check_invariants() if not each.is_kept}

    assert not broken
    assert runs_of(fleet).count() > 1500


def test_the_outage_and_the_lasting_causes_are_incidents(fleet: Workspace) -> None:
    incidents = {each.cause: each for each in Incident.objects.filter(workspace=fleet)}

    outage = incidents.pop("service_unavailable:HTTP 503")
    assert outage.runs == runs_of(fleet).filter(incident=outage).count()
    assert outage.tenants > 3
    assert outage.recovered_tenants > 0.8 * outage.tenants
    # A tenant without a permission has only succeeded partially since.
    assert outage.is_open == (outage.recovered_runs < outage.runs)
    last_recovery = runs_of(fleet).filter(incident=outage).latest("recovered_at").recovered_at
    assert outage.closed_at == (None if outage.is_open else last_recovery)
    assert {"permission_missing:Policy.Read.All", "credential_expired"} <= set(incidents)
    assert all(each.is_open for each in incidents.values())


def test_each_problem_has_a_cause_and_its_recovery_is_on_the_timeline(fleet: Workspace) -> None:
    problems = runs_of(fleet).filter(PROBLEM)
    recovered = problems.filter(recovered_at__isnull=False)

    assert not problems.filter(cause="").exists()
    assert recovered.count() > 10
    assert not recovered.exclude(events__kind="recovered").exists()
    assert settling.settle() == 0
    identities = runs_of(fleet).needs_attention().values_list("run_identity_hash", flat=True)
    assert 0 < len(identities) == len(set(identities))


def test_every_story_occurs(fleet: Workspace) -> None:
    outcomes = runs_of(fleet).filter(type=BACKUP).values_list("outcome", flat=True)
    expired = runs_of(fleet).filter(failure_summary__0__code="credential_expired")
    outage = runs_of(fleet).filter(failure_summary__0__code="service_unavailable")

    assert set(outcomes) == {"succeeded", "partially_succeeded", "failed", "blocked"}
    assert expired.values("tenant").distinct().count() == 2
    assert outage.values("tenant").distinct().count() > 3
    started = outage.order_by("started_at").values_list("started_at", flat=True)
    first, last = started.first(), started.last()
    assert first
    assert last
    assert last - first < dt.timedelta(hours=2)
    assert outage.filter(retries__outcome=RunOutcome.SUCCEEDED).exists()
    assert fleet.tenants.count() == TENANTS
    assert fleet.tenants.exclude(status="active").count() == 1
    assert fleet.tenants.filter(backup_schedules=None).count() == 3
    assert BackupSchedule.objects.filter(workspace=fleet).exclude(paused_at=None).count() == 2
    limited = ProviderConnection.objects.filter(workspace=fleet, status=ConnectionStatus.LIMITED)
    assert limited.count() == 2


def test_every_outcome_follows_from_its_counts(fleet: Workspace) -> None:
    for run in runs_of(fleet).exclude(outcome=RunOutcome.BLOCKED):
        assert run.outcome == derive_outcome(run.counts, Ending.FINISHED), run.pk
        counts = run.counts
        changes = counts.created + counts.updated + counts.unchanged + counts.deleted
        assert changes in (0, counts.succeeded), run.pk
        assert bool(run.failure_summary) == (run.outcome != RunOutcome.SUCCEEDED), run.pk


def test_the_items_of_a_backup_are_those_of_its_set(fleet: Workspace) -> None:
    sets = BackupSet.objects.filter(workspace=fleet)
    complete = Count("items", filter=Q(items__complete=True))
    stored = {
        row[0]: row[1:]
        for row in sets.values_list("pk").annotate(all=Count("items"), read=complete)
    }
    is_success = Q(outcome=ItemOutcome.SUCCEEDED)
    items = OperationRunItem.objects.filter(is_success, run__workspace=fleet)
    reported = dict(items.values_list("run_id").annotate(Count("id")))

    for backup_set in sets.select_related("operation_run"):
        run = backup_set.operation_run
        assert run
        succeeded = run.counts.succeeded
        assert stored[backup_set.pk] == (backup_set.item_count, succeeded)
        assert reported.get(run.pk, 0) == succeeded
        assert backup_set.is_complete == (run.outcome == RunOutcome.SUCCEEDED)
    assert not sets.filter(status=SetStatus.BUILDING).exists()
    without_set = runs_of(fleet).filter(type=BACKUP, backup_set=None)
    assert set(without_set.values_list("outcome", flat=True)) == {"blocked"}


def test_an_edit_is_a_new_version_in_the_sets_after_it(fleet: Workspace) -> None:
    updated = runs_of(fleet).filter(type=BACKUP, summary_counts__updated__gte=1)

    run = updated.first()

    assert run
    items = BackupItem.objects.filter(tenant=run.tenant_id).values("kind", "graph_id")
    edited = items.annotate(versions=Count("version", distinct=True)).filter(versions=2).get()
    versions = (
        BackupItem.objects.filter(
            tenant=run.tenant_id, **{k: edited[k] for k in ("kind", "graph_id")}
        )
        .order_by("backup_set__started_at")
        .values_list("version", "backup_set__operation_run")
    )
    before = {version for version, run_id in versions if run_id < run.pk}
    after = {version for version, run_id in versions if run_id >= run.pk}
    assert len(before) == len(after) == 1
    assert before != after


def test_the_changes_are_those_that_the_product_would_record(fleet: Workspace) -> None:
    changes = list(PolicyChange.objects.filter(workspace=fleet).with_scope())
    authors = [change.author for change in changes]

    assert {change.change for change in changes} == {"created", "changed", "removed"}
    assert any(authors)
    assert not BackupSet.objects.filter(workspace=fleet, compared_at=None).exists()
    for change in changes:
        backup_set = change.backup_set
        assert backup_set
        previous = previous_of(backup_set)
        assert previous
        assert previous == change.previous_set == backup_set.compared_with
        assert (change.change, change.item_id, change.before_id) in {
            (each.change, each.item and each.item.pk, each.before and each.before.pk)
            for each in changes_of(backup_set, previous).differences
        }
    per_object = Counter((change.tenant_id, change.graph_id) for change in changes)
    assert set(per_object.values()) == {1}


def test_nothing_happens_before_its_cause_or_in_the_future(fleet: Workspace) -> None:
    now = database_now()
    runs = runs_of(fleet)

    assert not runs.filter(completed_at__gt=now).exists()
    assert not runs.filter(started_at__lt=F("created_at")).exists()
    assert not runs.filter(completed_at__lt=F("started_at")).exists()
    assert not runs.filter(created_at__lt=F("tenant__created_at")).exists()
    sets = BackupSet.objects.filter(workspace=fleet)
    assert not sets.filter(ended_at__gt=F("operation_run__completed_at")).exists()
    assert not BackupItem.objects.filter(
        workspace=fleet, captured_at__gt=F("backup_set__ended_at")
    ).exists()
    retries = runs.exclude(retry_of=None)
    assert not retries.filter(created_at__lt=F("retry_of__completed_at")).exists()


def test_a_parent_run_sums_up_its_child_runs(fleet: Workspace) -> None:
    parents = runs_of(fleet).filter(type=OperationRunType.WORKSPACE_INVENTORY_SYNC)

    for parent in parents:
        children = list(parent.child_runs())
        assert len(children) == parent.items.count()
        blocked = sum(child.outcome == RunOutcome.BLOCKED for child in children)
        for key in COUNT_KEYS:
            extra = blocked if key in ("total", "processed", "failed") else 0
            expected = sum(getattr(child.counts, key) for child in children) + extra
            assert getattr(parent.counts, key) == expected, key
        assert all(_ended(child) < _ended(parent) for child in children)


def test_a_timeline_reads_like_that_of_a_real_run(fleet: Workspace, operator: User) -> None:
    past = runs_of(fleet).filter(type=BACKUP, outcome=RunOutcome.PARTIALLY_SUCCEEDED).first()
    assert past
    service, schedule = OperationRunService(), BackupSchedule.objects.get(tenant=past.tenant)
    request = services.run_now(BackupSchedule.objects.with_scope().get(pk=schedule.pk), operator)
    claimed = service.claim(request.run.pk, past.worker)
    assert claimed
    service.increment_summary_counts(
        claimed.pk, **{key: past.summary_counts.get(key, 0) for key in COUNT_KEYS}
    )
    service.complete(claimed.pk)

    assert _timeline(claimed) == _timeline(past)


def test_a_backup_has_a_phase_for_each_kind(fleet: Workspace) -> None:
    past = runs_of(fleet).filter(type=BACKUP, outcome=RunOutcome.SUCCEEDED).first()
    assert past
    events = list(OperationRunEvent.objects.filter(run=past).order_by("sequence"))

    assert [event.sequence for event in events] == list(range(1, 1 + len(events)))
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert {event.message for event in events if event.kind == "phase"} == {
        f"Reading {in_sentence(KIND[kind].label_plural)}"
        for kind in BackupSet.objects.get(operation_run=past).kinds
    }


def _ended(run: OperationRun) -> dt.datetime:
    assert run.completed_at
    return run.completed_at


def _timeline(run: OperationRun) -> list[str]:
    """The lines of a timeline except its phases until the end of the run; the initiator is X."""
    events = OperationRunEvent.objects.filter(run=run).exclude(kind__in=["recovered", "phase"])
    return [
        f"{each.kind} {each.level} {each.actor} {each.message} {each.data}".replace(
            run.initiator_name, "X"
        )
        for each in events.order_by("sequence")
    ]


@pytest.mark.parametrize("username", ["rita", "olga", "marc", "owen"])
def test_the_demo_users_open_the_fleet(fleet: Workspace, client: Client, username: str) -> None:
    client.force_login(User.objects.get(username=username))

    for address in ("", "runs/", "tenants/", "schedules/", "backup-sets/", "inventory/policies/"):
        assert client.get(f"/w/fleet/{address}").status_code == 200, address
    run = runs_of(fleet).filter(outcome=RunOutcome.FAILED).first()
    assert run
    assert client.get(run.get_absolute_url()).status_code == 200


def test_a_second_call_changes_nothing(fleet: Workspace, settings: Settings) -> None:
    settings.DEMO_DATA_ALLOWED = True
    settings.GRAPH_SANDBOX_URL = ""
    before = OperationRun.objects.count()
    out = StringIO()

    call_command("demo_fleet", stdout=out)

    assert OperationRun.objects.count() == before
    assert "was not added to a Graph sandbox" in out.getvalue()


def test_the_other_demo_workspace_starts_no_backup_of_the_fleet(
    fleet: Workspace, settings: Settings, tmp_path: object
) -> None:
    settings.DEMO_DATA_ALLOWED = True
    settings.BASE_DIR = tmp_path
    settings.GRAPH_SANDBOX_URL = ""
    BackupSet.objects.filter(workspace=fleet).update(schedule=None)

    call_command("demo_data", stdout=StringIO())

    assert not runs_of(fleet).active().exists()


#: Why Microsoft Graph refuses the backups of some tenants of the fleet.
REFUSED = ("credential_expired", "permission_missing")


def test_the_graph_sandbox_continues_the_past(
    fleet: Workspace, fleet_in_graph: None, back_up: Callable[[BackupSchedule], OperationRun]
) -> None:
    schedules = BackupSchedule.objects.filter(workspace=fleet, paused_at=None)
    refused = runs_of(fleet).filter(type=BACKUP, failure_summary__0__code__in=REFUSED)
    tenants = Tenant.objects.exclude(pk__in=refused.values("tenant"))

    backups = runs_of(fleet).filter(type=BACKUP, tenant__in=tenants)
    edited = backups.filter(summary_counts__updated__gte=1).latest("id")
    run = back_up(schedules.get(tenant=edited.tenant))
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert run.counts.unchanged == run.counts.total == 12
    for kind in ("created", "removed"):
        changes = PolicyChange.objects.filter(workspace=fleet, tenant__in=tenants)
        change = changes.filter(change=kind).latest("id")
        run = back_up(schedules.get(tenant=change.tenant))
        assert run.counts.unchanged == run.counts.total, kind

    for code in REFUSED:
        past = runs_of(fleet).filter(type=BACKUP, failure_summary__0__code=code).latest("id")
        run = back_up(schedules.get(tenant=past.tenant))
        assert (run.outcome, run.counts) == (past.outcome, past.counts), code
        assert [entry["message"] for entry in run.failures] == [
            entry["message"] for entry in past.failures
        ]


def test_the_next_slot_starts_a_run(fleet: Workspace) -> None:
    schedule = BackupSchedule.objects.filter(workspace=fleet, paused_at=None).first()
    assert schedule
    assert schedule.next_run_at

    tick(schedule.next_run_at + schedule.spread)

    runs = Tenant.objects.get(pk=schedule.tenant_id).operation_runs.active()
    assert runs.get().context["scheduled_for"] == f"{schedule.next_run_at:%Y-%m-%dT%H:%MZ}"
