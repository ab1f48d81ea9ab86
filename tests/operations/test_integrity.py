"""The ledger check reports exactly the violated invariants."""

from __future__ import annotations

import datetime as dt
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from backups import tick
from config.celery import beat_schedule
from operations import tasks
from operations.maintenance import integrity
from operations.maintenance.integrity import Invariant, check_ledger, invariants, register_invariant
from operations.maintenance.reconciler import reconcile
from operations.models import InvariantResult, OperationRun
from operations.services import OperationRunService
from operations.testing import add_invariants
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tests.support.factories import UserFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.operations import create_queued_run, create_running_run
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

NAMES = [invariant.name for invariant in invariants()]


def violations() -> dict[str, int]:
    """Check the ledger and return the number of violations by invariant."""
    return {result.name: result.count for result in check_ledger() if not result.is_kept}


@pytest.fixture
def unguarded(db: None) -> Iterator[Callable[..., None]]:
    """Return a function that runs SQL with the guards disabled."""

    def run(statement: str, *values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)

    with transaction.atomic():
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("SET LOCAL session_replication_role = replica")
        yield run
        run("SET LOCAL session_replication_role = DEFAULT")


def count_without_triggers() -> None:
    """Count the runs that ended while the triggers, which count them, were off with the guards."""
    call_command("recount_runs", stdout=io.StringIO())


def create_complete_run(tenant: Tenant) -> OperationRun:
    """Create a run that was dispatched, claimed, executed and completed."""
    service = OperationRunService()
    run = create_running_run(tenant)
    service.increment_summary_counts(run.pk, total=2, processed=2, succeeded=2)
    return service.complete(run.pk)


def test_an_unmodified_ledger_has_no_violations(tenant: Tenant) -> None:
    create_complete_run(tenant)
    create_queued_run(tenant, 2)
    create_running_run(tenant, 3)

    assert violations() == {}
    assert set(InvariantResult.objects.values_list("name", flat=True)) == set(NAMES)


#: A problem of the complete run's identity that ended an hour before it started.
_EARLIER_PROBLEM = (
    "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,"
    " run_identity_hash, created_at, completed_at, cause, details_removed_at)"
    " SELECT workspace_id, tenant_id, initiator_name, type, 'completed', 'blocked',"
    " run_identity_hash, created_at - interval '{hours} hours', created_at - interval '{hours}"
    " hours', 'missed', now() FROM operation_runs WHERE outcome = 'succeeded'"
)
_INCIDENT = (
    "INSERT INTO operation_incidents (workspace_id, cause, number, since, created_at,"
    " first_run_at, last_run_at, counted_at)"
    " SELECT DISTINCT workspace_id, 'missed', 1, now(), now(), now(), now(), now()"
    " FROM operation_runs"
)
_END_EARLIER = (
    "UPDATE operation_runs SET started_at = started_at - interval '30 minutes',"
    " completed_at = completed_at - interval '30 minutes' WHERE outcome = 'succeeded'"
)
VIOLATIONS = {
    "one_active_per_identity": [
        "DROP INDEX runs_one_active_per_tenant_identity",
        (
            "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status,"
            " outcome, run_identity_hash, next_publish_at, created_at)"
            " SELECT workspace_id, tenant_id, initiator_name, type, status, outcome,"
            " run_identity_hash, next_publish_at, created_at FROM operation_runs"
            " WHERE status = 'queued'"
        ),
        (
            "INSERT INTO operation_run_events (run_id, sequence, kind, level, message)"
            " SELECT max(id), 1, 'created', 'info', 'x' FROM operation_runs"
        ),
    ],
    "ended_is_ended": [
        "UPDATE operation_runs SET completed_at = NULL WHERE status = 'completed'",
    ],
    "counts_add_up": [
        (
            "UPDATE operation_runs SET summary_counts = summary_counts || '{\"failed\": 1}'"
            " WHERE status = 'completed'"
        ),
    ],
    "lease_is_kept": [
        (
            "UPDATE operation_runs SET heartbeat_at = now() - interval '10 minutes'"
            " WHERE status = 'running'"
        ),
    ],
    "no_run_exceeds_its_limits": [
        "UPDATE operation_runs SET created_at = now() - interval '9 days' WHERE status = 'queued'",
    ],
    "queued_is_on_its_way": [
        "UPDATE operation_runs SET next_publish_at = NULL WHERE status = 'queued'",
    ],
    "every_change_has_an_event": [
        "DELETE FROM operation_run_events WHERE kind = 'ended'",
    ],
    "nothing_after_the_end": [
        (
            "INSERT INTO operation_run_items (run_id, key, label, outcome, reason_code, message,"
            " request_id, link, at) SELECT id, 'late', '', 'succeeded', '', '', '', '',"
            " completed_at + interval '1 second' FROM operation_runs WHERE status = 'completed'"
        ),
    ],
    "recovery_is_a_later_success": [
        (
            "UPDATE operation_runs SET recovered_at = now(), recovered_by_id = id"
            " WHERE outcome = 'succeeded'"
        ),
    ],
    "success_recovers": [_END_EARLIER, _EARLIER_PROBLEM.format(hours=1)],
    "one_problem_per_identity": [
        _EARLIER_PROBLEM.format(hours=1),
        _EARLIER_PROBLEM.format(hours=2),
        "UPDATE operation_runs SET outcome = 'cancelled' WHERE outcome = 'succeeded'",
    ],
    "incidents_count_their_runs": [
        _EARLIER_PROBLEM.format(hours=1),
        _INCIDENT,
        (
            "UPDATE operation_runs SET incident_id = (SELECT id FROM operation_incidents)"
            " WHERE cause <> ''"
        ),
    ],
    "incidents_close_when_recovered": [
        _INCIDENT.replace("now()", "now() - interval '1 hour'"),
        "UPDATE operation_incidents SET runs = 1",
    ],
    "shared_cause_is_an_incident": [
        *(_EARLIER_PROBLEM.format(hours=number) for number in range(1, 11)),
        (
            "UPDATE operation_runs SET run_identity_hash = encode(sha256(id::text::bytea), 'hex')"
            " WHERE cause <> ''"
        ),
    ],
    "attempts_are_capped": [
        "UPDATE operation_runs SET initiator_name = 'Reconciler'",
        (
            "UPDATE operation_runs SET retry_of_id = (SELECT max(id) FROM operation_runs earlier"
            " WHERE earlier.id < operation_runs.id)"
        ),
    ],
    "ended_runs_are_counted": [
        "UPDATE operation_run_counts SET runs = runs + 1",
    ],
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_violation_is_reported(
    name: str, tenant: Tenant, unguarded: Callable[..., None]
) -> None:
    create_complete_run(tenant)
    create_queued_run(tenant, 2)
    create_running_run(tenant, 3)
    unguarded("SET CONSTRAINTS ALL IMMEDIATE")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(format('DROP CONSTRAINT %I', conname), ', ') FROM pg_constraint"
            " WHERE conrelid = 'operation_runs'::regclass AND contype = 'c'"
        )
        (drops,) = cursor.fetchone()
    unguarded(f"ALTER TABLE operation_runs {drops}")
    count_without_triggers()
    assert violations() == {}

    for statement in VIOLATIONS[name]:
        unguarded(statement)
    if name != "ended_runs_are_counted":
        count_without_triggers()

    assert list(violations()) == [name]


def test_a_slot_with_two_runs_is_reported(tenant: Tenant, unguarded: Callable[..., None]) -> None:
    schedule = BackupScheduleFactory(
        tenant=tenant, cron="* * * * *", due=database_now().replace(second=0, microsecond=0)
    )
    tick.tick(schedule.next_run_at)
    unguarded("DROP INDEX runs_slot_once")
    unguarded(
        "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,"
        " run_identity_hash, context, created_at, completed_at) SELECT workspace_id, tenant_id,"
        " initiator_name, type, 'completed', 'cancelled', run_identity_hash, context, created_at,"
        " now() FROM operation_runs"
    )

    assert "slot_fired_once" in violations()


def test_a_slot_without_a_run_is_reported(tenant: Tenant) -> None:
    """One schedule skips a slot without a run; another one is never ticked."""
    now = database_now().replace(second=0, microsecond=0)
    hour = dt.timedelta(hours=1)
    BackupScheduleFactory(tenant=tenant, name="Regular", cron="*/5 * * * *", due=now)
    tick.tick(now + dt.timedelta(minutes=12))
    moved = BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=now - hour)
    late = BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=now - hour)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE backup_schedules SET settled_until = %s, next_run_at = %s WHERE id = %s",
            [now, now + hour, moved.pk],
        )

    assert violations() == {"every_slot_is_explained": 2}
    result = InvariantResult.objects.get(name="every_slot_is_explained")
    assert result.offenders == [moved.pk, late.pk]


@pytest.mark.parametrize("column", ["timezone = 'Mars/Olympus'", "cron = '61 * * * *'"])
def test_an_invalid_schedule_is_reported_and_hides_no_other_violation(
    column: str, tenant: Tenant, unguarded: Callable[..., None]
) -> None:
    soon = database_now().replace(second=0, microsecond=0) + dt.timedelta(days=3)
    invalid = BackupScheduleFactory(tenant=tenant, due=soon)
    create_queued_run(tenant)
    unguarded(f"UPDATE backup_schedules SET {column}")
    unguarded("UPDATE operation_runs SET next_publish_at = NULL")
    assert violations() == {"schedules_match_revisions": 1, "queued_is_on_its_way": 1}

    unguarded(f"UPDATE backup_schedule_revisions SET {column}")

    assert violations() == {"every_slot_is_explained": 1, "queued_is_on_its_way": 1}
    assert InvariantResult.objects.get(name="every_slot_is_explained").offenders == [invalid.pk]


def test_an_invariant_that_cannot_be_checked_is_not_reported_as_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(integrity, "SECONDS", 0.2)
    failing_invariants = [
        Invariant("slow", "It is fast.", "SELECT 1 AS id FROM pg_sleep(5)"),
        Invariant("wrong", "It is SQL.", "SELECT nothing AS id"),
        Invariant("error", "It has no errors.", lambda: [int("x")]),
    ]

    with add_invariants(*failing_invariants):
        summaries = {result.name: result.summary for result in check_ledger()}

    assert "stopped after" in summaries["slow"]
    assert "query failed" in summaries["wrong"]
    assert "ValueError" in summaries["error"]
    assert summaries["lease_is_kept"] == "kept"


def test_an_invariant_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already registered"):
        register_invariant(invariants()[0])


# --- the command and the page ------------------------------------------------------------------------


def command(**options: Any) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("check_ledger", stdout=out, **options)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_suits_cron(tenant: Tenant, unguarded: Callable[..., None]) -> None:
    verbose = command()
    quiet = command(quiet=True)
    run = create_queued_run(tenant)
    unguarded("UPDATE operation_runs SET next_publish_at = NULL")

    code, text = command(quiet=True)

    assert verbose[0] == 0
    assert verbose[1].count("OK ") == len(NAMES)
    assert quiet == (0, "")
    assert code == 1
    assert text.startswith("VIOLATED")
    assert str(run.pk) in text


def test_the_exit_code_distinguishes_unknown_from_violated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "_INVARIANTS", {})
    register_invariant(Invariant("wrong", "It is SQL.", "SELECT nothing AS id"))

    assert command()[0] == 2


@pytest.fixture
def staff(client: Client) -> Client:
    user: User = UserFactory(is_staff=True, is_superuser=True)
    open_session(client, user)
    return client


def test_the_page_shows_every_promise_before_and_after_a_check(
    staff: Client, tenant: Tenant, unguarded: Callable[..., None]
) -> None:
    before = staff.get(reverse("ledger_integrity")).content.decode()
    run = create_queued_run(tenant)
    unguarded("UPDATE operation_runs SET next_publish_at = NULL")

    response = staff.post(reverse("ledger_check"), follow=True)

    text = response.content.decode()
    assert before.count("Not checked yet") == len(NAMES)
    assert "1 violation" in text
    assert reverse("admin:operations_operationrun_change", args=[run.pk]) in text
    assert text.count("</svg>Kept") >= len(NAMES) - 1


def test_only_staff_have_a_link_to_the_page(staff: Client, client: Client, reader: User) -> None:
    address = reverse("ledger_integrity")
    staff_page = staff.get(address).content.decode()
    open_session(client, reader)
    reader_page = client.get("/runs/").content.decode()

    assert f'href="{address}"' in staff_page
    assert address not in reader_page


def test_runs_lost_in_an_outage_are_not_reported_once_reconciled(
    tenant: Tenant, settings: Any, unguarded: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage, the check starts before the reconciler, which runs a moment later."""
    settings.TICK_SECONDS = 30
    create_running_run(tenant)
    unguarded("UPDATE operation_runs SET heartbeat_at = now() - interval '1 hour'")
    sleeps: list[float] = []

    def reconcile_during_sleep(seconds: float) -> None:
        sleeps.append(seconds)
        reconcile()

    monkeypatch.setattr(time, "sleep", reconcile_during_sleep)

    tasks.check_ledger()

    assert sleeps == [60]
    assert InvariantResult.objects.get(name="lease_is_kept").is_kept


def test_beat_schedules_the_check() -> None:

    assert "operations.tasks.check_ledger" in {
        str(entry["task"]) for entry in beat_schedule(30).values()
    }
    tasks.check_ledger()
    assert InvariantResult.objects.count() == len(NAMES)
