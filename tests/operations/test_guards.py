"""The database guards of runs, attacked with plain SQL."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from operations.models import OperationRun, OperationRunEvent
from operations.services import OperationRunService
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory, OperationRunItemFactory, TenantFactory
from tests.support.factories.operations import SCHEDULED, create_ended_run, create_queued_run

Refusal = AbstractContextManager[Any]
EVERY_STATE = ["queued", "running", "succeeded", "partial", "failed", "blocked", "cancelled"]


def create_run(state: str, tenant: Tenant, **columns: Any) -> OperationRun:
    traits = {} if state == "queued" else {state: True}
    run: OperationRun = OperationRunFactory(tenant=tenant, **traits, **columns)
    return run


def sql(statement: str, *values: Any) -> int:
    """Run a statement in a savepoint; return the number of affected rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def change(run: OperationRun, assignment: str, *values: Any) -> int:
    return sql(f"UPDATE operation_runs SET {assignment} WHERE id = %s", *values, run.pk)


def refused(by: str) -> Refusal:
    """Expect that the database refuses the block with this message or constraint."""
    return pytest.raises(DatabaseError, match=by)


RUNNING_AGAIN = (
    "status = 'running', outcome = 'pending', completed_at = NULL, started_at = now(),"
    " heartbeat_at = now()"
)


# --- submissions ----------------------------------------------------------------------------------


def test_a_submission_starts_an_operation_once(tenant: Tenant) -> None:
    form = uuid.uuid4()
    first = create_ended_run(tenant, submission=form)
    second = create_ended_run(tenant)

    with refused("its submission cannot be changed"):
        change(second, "submission_id = %s", form)
    with refused("runs_submission_starts_once"):
        OperationRunFactory(
            tenant=tenant, run_identity_hash=first.run_identity_hash, submission_id=form
        )


# --- lifecycle ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["running", "succeeded", "failed", "blocked", "cancelled"])
def test_a_run_never_returns_to_queued(tenant: Tenant, state: str) -> None:
    run = create_run(state, tenant)

    with refused("only move forward"):
        change(run, "status = 'queued'")
    with refused("only move forward|has ended"):
        change(run, "status = 'queued', outcome = 'pending', completed_at = NULL")


@pytest.mark.parametrize("state", ["succeeded", "failed", "blocked", "cancelled"])
def test_an_ended_run_never_runs_again(tenant: Tenant, state: str) -> None:
    run = create_run(state, tenant)

    with refused("only move forward"):
        change(run, "status = 'running'")
    with refused("only move forward|has ended"):
        change(run, RUNNING_AGAIN)


@pytest.mark.parametrize(
    "assignment",
    [
        pytest.param("status = 'completed', completed_at = now()", id="no outcome"),
        pytest.param("status = 'completed', outcome = 'failed'", id="no time of completion"),
        pytest.param("outcome = 'succeeded'", id="an outcome before the end"),
        pytest.param("completed_at = now()", id="a time of completion before the end"),
    ],
)
@pytest.mark.parametrize("state", ["queued", "running"])
def test_status_outcome_and_completion_time_change_together(
    tenant: Tenant, state: str, assignment: str
) -> None:
    run = create_run(state, tenant)

    with refused("runs_completed_means_ended"):
        change(run, assignment)


@pytest.mark.parametrize(
    "assignment",
    [
        "status = 'running'",
        "status = 'running', started_at = now()",
        "status = 'running', heartbeat_at = now()",
    ],
)
def test_no_run_is_running_without_a_lease(tenant: Tenant, assignment: str) -> None:
    run = create_run("queued", tenant)

    with refused("runs_running_has_lease"):
        change(run, assignment)


def test_a_running_run_cannot_lose_its_lease(tenant: Tenant) -> None:
    run = create_run("running", tenant)

    with refused("runs_running_has_lease"):
        change(run, "heartbeat_at = NULL")


@pytest.mark.parametrize("status", ["paused", "", "QUEUED", "done"])
def test_an_unknown_status_is_refused(tenant: Tenant, status: str) -> None:
    with refused("runs_status_known|only move forward"):
        change(create_run("queued", tenant), "status = %s", status)
    with refused("runs_status_known"):
        create_run("queued", tenant, status=status)


@pytest.mark.parametrize("outcome", ["success", "", "Failed"])
def test_an_unknown_outcome_is_refused(tenant: Tenant, outcome: str) -> None:
    run = create_run("running", tenant)

    with refused("runs_outcome_known"):
        change(run, "status = 'completed', completed_at = now(), outcome = %s", outcome)


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"outcome": "failed"}, "runs_completed_means_ended"),
        ({"status": "completed"}, "runs_completed_means_ended"),
        ({"status": "running"}, "runs_running_has_lease"),
        ({"outcome": "success"}, "runs_outcome_known"),
        ({"summary_counts": {"total": -1}}, "runs_counts_valid"),
        ({"failure_summary": [{}] * 21}, "runs_failures_limited"),
        ({"cause": "missed"}, "runs_cause_of_a_problem"),
    ],
)
def test_the_rules_of_a_state_hold_for_a_new_run(
    tenant: Tenant, columns: dict[str, Any], rule: str
) -> None:
    with refused(rule):
        create_run("queued", tenant, **columns)


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"total": -1}, id="negative"),
        pytest.param({"succeeded": 1.5}, id="a fraction"),
        pytest.param({"failed": "3"}, id="text"),
        pytest.param({"failed": None}, id="null"),
        pytest.param({"failed": True}, id="a boolean"),
        pytest.param({"failed": [1]}, id="a list"),
        pytest.param({"anything": -1}, id="negative under another key"),
        pytest.param({"meta": []}, id="meta is not an object"),
        pytest.param({"meta": "phase"}, id="meta is text"),
        pytest.param([], id="a list instead of an object"),
        pytest.param("3", id="text instead of an object"),
        pytest.param(None, id="null instead of an object"),
    ],
)
def test_counts_are_non_negative_whole_numbers(tenant: Tenant, counts: object) -> None:
    run = create_run("running", tenant)

    with refused("runs_counts_valid"):
        change(run, "summary_counts = %s::jsonb", json.dumps(counts))


def test_counts_and_short_facts_are_accepted(tenant: Tenant) -> None:
    run = create_run("running", tenant)

    assert change(
        run, "summary_counts = %s::jsonb", '{"total": 3, "created": 0, "meta": {"phase": "-1"}}'
    )


@pytest.mark.parametrize(
    "failures", [{}, "x", 3, None, [{}] * 21], ids=["object", "text", "number", "null", "21 causes"]
)
def test_failures_are_a_list_of_at_most_twenty_causes(tenant: Tenant, failures: object) -> None:
    run = create_run("running", tenant)

    with refused("runs_failures_limited|cannot get array length"):
        change(run, "failure_summary = %s::jsonb", json.dumps(failures))


@pytest.mark.parametrize("context", [[], "x", 3])
def test_the_context_is_an_object(tenant: Tenant, context: object) -> None:
    with refused("runs_context_is_object"):
        create_run("queued", tenant, context=context)


# --- columns written once -------------------------------------------------------------------------

WRITTEN_ONCE = [
    "type = 'backup_schedule.retry'",
    f"run_identity_hash = '{'0' * 64}'",
    "context = '{\"policy_id\": 1}'",
    "tenant_id = NULL",
    "created_at = now() - interval '1 day'",
    "initiator_name = 'Another user'",
    "id = id + 1000000",
]


@pytest.mark.parametrize("assignment", WRITTEN_ONCE)
@pytest.mark.parametrize("state", ["queued", "running", "failed"])
def test_type_scope_identity_and_context_are_written_once(
    tenant: Tenant, state: str, assignment: str
) -> None:
    run = create_run(state, tenant)

    with refused("identity and context cannot be changed"):
        change(run, assignment)


def test_a_run_never_moves_to_another_tenant_of_its_workspace(tenant: Tenant) -> None:
    run = create_run("queued", tenant)
    sibling = TenantFactory(workspace=tenant.workspace)

    with refused("identity and context cannot be changed"):
        change(run, "tenant_id = %s", sibling.pk)


def test_the_retried_run_is_written_once(tenant: Tenant) -> None:
    first, second = create_run("failed", tenant), create_run("failed", tenant)
    run = create_run("queued", tenant, retry_of=first)

    with refused("the run that it retries cannot be changed"):
        change(run, "retry_of_id = %s", second.pk)


def test_a_run_cannot_retry_itself(tenant: Tenant) -> None:
    run_id = create_run("failed", tenant).pk + 1

    with refused("runs_retry_not_self"):
        create_run("queued", tenant, pk=run_id, retry_of_id=run_id)


@pytest.mark.parametrize(
    "assignment",
    [
        "outcome = 'succeeded', summary_counts = '{}'",
        "outcome = 'cancelled'",
        "summary_counts = summary_counts || '{\"succeeded\": 99}'",
        "failure_summary = '[{}]'",
        "started_at = now() - interval '1 day'",
        "completed_at = now() + interval '1 day'",
        "heartbeat_at = now()",
        "worker = 'worker-2'",
    ],
)
def test_the_result_of_an_ended_run_cannot_change(tenant: Tenant, assignment: str) -> None:
    run = create_run("failed", tenant)

    with refused("its result cannot be changed"):
        change(run, assignment)


def test_an_ended_run_can_be_acknowledged(tenant: Tenant) -> None:
    assert change(create_run("failed", tenant), "acknowledged_at = now()") == 1


@pytest.mark.parametrize("value", ["", "abc", "A" * 64, "g" * 64, "0" * 63])
def test_an_identity_is_a_sha256_in_lower_case(tenant: Tenant, value: str) -> None:
    with refused("runs_identity_is_sha256"):
        create_run("queued", tenant, run_identity_hash=value)


# --- one active run per identity ------------------------------------------------------------------


@pytest.mark.parametrize("second", ["queued", "running"])
@pytest.mark.parametrize("first", ["queued", "running"])
def test_a_second_active_run_of_a_tenants_identity_is_refused(
    tenant: Tenant, first: str, second: str
) -> None:
    active = create_run(first, tenant)

    with refused("runs_one_active_per_tenant_identity"):
        create_run(second, tenant, run_identity_hash=active.run_identity_hash)


@pytest.mark.parametrize("second", ["queued", "running"])
def test_a_second_active_run_of_a_workspaces_identity_is_refused(
    tenant: Tenant, second: str
) -> None:
    scope = {"tenant": None, "workspace": tenant.workspace}
    active = OperationRunFactory(**scope)
    traits = {"running": True} if second == "running" else {}

    with refused("runs_one_active_per_workspace_identity"):
        OperationRunFactory(**scope, **traits, run_identity_hash=active.run_identity_hash)


@pytest.mark.parametrize("ended", ["succeeded", "failed", "blocked", "cancelled"])
def test_any_number_of_ended_runs_share_an_identity(tenant: Tenant, ended: str) -> None:
    first = create_run(ended, tenant)

    create_run(ended, tenant, run_identity_hash=first.run_identity_hash)
    create_run("queued", tenant, run_identity_hash=first.run_identity_hash)

    assert OperationRun.objects.count() == 3


# --- slots ----------------------------------------------------------------------------------------

SLOT: dict[str, Any] = {"backup_schedule_id": 1, "scheduled_for": "2026-03-08T07:00Z"}


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "blocked", "cancelled"])
def test_a_slot_never_has_a_second_run(tenant: Tenant, state: str) -> None:
    create_run(state, tenant, type=SCHEDULED, context=SLOT)

    with refused("runs_slot_once"):
        create_run("succeeded", tenant, type=SCHEDULED, context=SLOT)


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({}, id="no slot"),
        pytest.param({"backup_schedule_id": 1}, id="no time"),
        pytest.param({"scheduled_for": SLOT["scheduled_for"]}, id="no schedule"),
        pytest.param(SLOT | {"scheduled_for": "2026-03-08T07:00:00Z"}, id="seconds"),
        pytest.param(SLOT | {"scheduled_for": "2026-03-08T07:00+01:00"}, id="another time zone"),
        pytest.param(SLOT | {"scheduled_for": "tomorrow"}, id="not a time"),
        pytest.param(SLOT | {"scheduled_for": None}, id="null"),
        pytest.param(
            SLOT | {"scheduled_for": SLOT["scheduled_for"] + "\n"}, id="a trailing newline"
        ),
    ],
)
def test_the_slot_of_a_scheduled_run_has_one_format(
    tenant: Tenant, context: dict[str, Any]
) -> None:
    with refused("runs_scheduled_has_slot"):
        create_run("queued", tenant, type=SCHEDULED, context=context)


def test_a_retry_of_a_scheduled_run_does_not_use_the_slot(tenant: Tenant) -> None:
    first = create_run("failed", tenant, type=SCHEDULED, context=SLOT)

    create_run(
        "queued", tenant, type=OperationRunType.BACKUP_SCHEDULE_RETRY, context=SLOT, retry_of=first
    )

    assert OperationRun.objects.count() == 2


# --- workspaces -----------------------------------------------------------------------------------


def test_a_tenant_of_another_workspace_is_refused(tenant: Tenant) -> None:
    elsewhere = TenantFactory().workspace

    with refused("operation_runs_tenant_of_workspace"):
        create_run("queued", tenant, workspace=elsewhere)


def test_a_tenant_with_runs_stays_in_its_workspace(tenant: Tenant) -> None:
    create_run("succeeded", tenant)
    elsewhere = TenantFactory().workspace

    with refused("its workspace cannot be changed"):
        sql("UPDATE tenants SET workspace_id = %s WHERE id = %s", elsewhere.pk, tenant.pk)


def test_a_tenant_with_runs_cannot_be_deleted(tenant: Tenant) -> None:
    create_run("succeeded", tenant)

    with refused("operation_runs_tenant_of_workspace"):
        sql("DELETE FROM tenants WHERE id = %s", tenant.pk)


# --- deletion -------------------------------------------------------------------------------------


def allow_pruning() -> None:
    sql("SELECT set_config('runledger.pruning', 'on', true)")


def delete(run: OperationRun) -> int:
    return sql("DELETE FROM operation_runs WHERE id = %s", run.pk)


@pytest.mark.parametrize("state", EVERY_STATE)
def test_only_retention_deletes_runs(tenant: Tenant, state: str) -> None:
    run = create_run(state, tenant)

    with refused("cannot be deleted|only retention"):
        delete(run)
    with refused("cannot be deleted|only retention|append-only"):
        run.delete()


@pytest.mark.parametrize("state", ["queued", "running"])
def test_retention_cannot_delete_an_active_run(tenant: Tenant, state: str) -> None:
    run = create_run(state, tenant)
    allow_pruning()

    with refused("an active run cannot be deleted"):
        delete(run)


def test_retention_deletes_an_ended_run(tenant: Tenant) -> None:
    run = create_ended_run(tenant, total=1, processed=1, succeeded=1)
    allow_pruning()

    run.delete()

    assert not OperationRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_permission_to_prune_ends_with_the_transaction(tenant: Tenant) -> None:
    run = create_ended_run(tenant, total=1, processed=1, succeeded=1)
    with transaction.atomic():
        allow_pruning()

    with refused("only retention"):
        delete(run)
    with refused("append-only"):
        sql("DELETE FROM operation_run_events")


@pytest.mark.parametrize("value", ["", "off", "true", "ON", "1"])
def test_only_the_exact_value_allows_pruning(tenant: Tenant, value: str) -> None:
    run = create_run("succeeded", tenant)
    sql("SELECT set_config('runledger.pruning', %s, true)", value)

    with refused("only retention"):
        delete(run)


@pytest.mark.parametrize("table", ["operation_runs", "operation_run_events", "operation_run_items"])
def test_the_tables_of_the_ledger_cannot_be_truncated(db: None, table: str) -> None:
    with refused(f"TRUNCATE on {table} is not allowed"):
        sql(f"TRUNCATE {table} CASCADE")


# --- the timeline ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE operation_run_events SET message = 'nothing happened'",
        "UPDATE operation_run_events SET message = 'x' WHERE false",
        "DELETE FROM operation_run_events",
        "DELETE FROM operation_run_events WHERE false",
        "DELETE FROM operation_run_items WHERE false",
    ],
)
def test_the_timeline_is_append_only_even_for_statements_without_rows(
    tenant: Tenant, statement: str
) -> None:
    create_queued_run(tenant)

    with refused("append-only"):
        sql(statement)


def test_retention_cannot_change_an_event(tenant: Tenant) -> None:
    create_queued_run(tenant)
    allow_pruning()

    with refused("append-only"):
        sql("UPDATE operation_run_events SET message = 'nothing happened'")


def test_the_guards_apply_to_the_orm(tenant: Tenant) -> None:
    run = create_queued_run(tenant)

    with refused("append-only"), transaction.atomic():
        OperationRunEvent.objects.update(message="nothing happened")
    with refused("append-only"), transaction.atomic():
        run.events.all().delete()
    with refused("identity and context cannot be changed"), transaction.atomic():
        OperationRun.objects.filter(pk=run.pk).update(type="backup_schedule.retry")


def test_two_events_cannot_share_a_sequence_number(tenant: Tenant) -> None:
    run = create_queued_run(tenant)

    with refused("run_events_sequence"):
        sql(
            "INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message)"
            " VALUES (%s, 1, now(), 'note', 'info', 'x')",
            run.pk,
        )


@pytest.mark.parametrize("column", ["key", "outcome"])
def test_an_item_has_one_known_outcome(tenant: Tenant, column: str) -> None:
    item = OperationRunItemFactory(run=create_run("running", tenant))
    another = {"key": item.key} if column == "key" else {"outcome": "perhaps"}

    with refused("run_items_once|run_items_outcome_known"):
        OperationRunItemFactory(run=item.run, **another)


# --- allowed changes -----------------------------------------------------------------------------


def test_a_run_may_be_cancelled_before_it_starts(tenant: Tenant) -> None:
    assert change(
        create_run("queued", tenant),
        "status = 'completed', outcome = 'cancelled', completed_at = now()",
    )


def test_the_guards_add_no_statement_to_a_claim(
    tenant: Tenant, service: OperationRunService, django_assert_num_queries: Callable[..., Any]
) -> None:
    """In a transaction it has four: the savepoint and its release, the update, the event."""
    run = create_queued_run(tenant)

    with django_assert_num_queries(4):
        assert service.claim(run.pk, "worker-1")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("user_id = %(a)s", "user_id = %(b)s", id="the requester"),
        pytest.param(
            "cancel_requested_at = now(), cancel_requested_by_id = %(a)s",
            "cancel_requested_by_id = %(b)s",
            id="who requested cancellation",
        ),
        pytest.param(
            "acknowledged_at = now(), acknowledged_by_id = %(a)s",
            "acknowledged_at = NULL",
            id="the acknowledgment",
        ),
    ],
)
def test_the_user_of_an_action_cannot_change(
    tenant: Tenant, operator: User, manager: User, first: str, second: str
) -> None:
    run = create_run("running", tenant, user=operator)
    people = {"a": operator.pk, "b": manager.pk}
    change(run, first % people)

    with refused("requester, cancellation and acknowledgment are final"):
        change(run, second % people)


# --- what resolves a problem ----------------------------------------------------------------------


def create_identity(tenant: Tenant) -> tuple[OperationRun, OperationRun, OperationRun]:
    """Create two problems and a later success of one identity, without what the service writes."""
    problem, later, success = (
        create_run(
            state, tenant, run_identity_hash="a" * 64, started_at=at, completed_at=at, created_at=at
        )
        for state, at in (
            ("failed", timezone.now() - dt.timedelta(hours=3)),
            ("partial", timezone.now() - dt.timedelta(hours=2)),
            ("succeeded", timezone.now() - dt.timedelta(hours=1)),
        )
    )
    return problem, later, success


RECOVER = "recovered_at = now(), recovered_by_id = %s"


def test_only_a_later_success_of_the_identity_recovers_a_problem(
    tenant: Tenant, stranger: User
) -> None:
    problem, later, success = create_identity(tenant)
    at = problem.completed_at - dt.timedelta(hours=1)  # type: ignore[operator]
    earlier = create_run(
        "succeeded", tenant, run_identity_hash="a" * 64, started_at=at, created_at=at
    )
    other = create_run("succeeded", tenant)
    foreign = create_run(
        "succeeded",
        TenantFactory(workspace=stranger.memberships.get().workspace),
        run_identity_hash="a" * 64,
    )

    for candidate in (later, earlier, other, foreign, problem):
        with refused("only a later success of its identity"):
            change(problem, RECOVER, candidate.pk)
    with refused("only a later success of its identity"):
        change(problem, RECOVER, 999_999_999)
    with refused("runs_recovered_from_a_problem"):
        change(problem, "recovered_at = now()")
    with refused("only a later success of its identity"), transaction.atomic():
        OperationRunFactory(tenant=tenant, failed=True, recovered_by_id=other.pk)
    assert change(problem, RECOVER, success.pk)
    with refused("the run that resolves it cannot be changed"):
        change(problem, "recovered_at = NULL, recovered_by_id = NULL")
    with refused("the run that resolves it cannot be changed"):
        change(problem, "recovered_at = now() - interval '1 day'")


def test_only_a_later_problem_of_the_identity_stands_for_another(tenant: Tenant) -> None:
    problem, later, success = create_identity(tenant)

    for candidate in (success, problem, create_run("failed", tenant)):
        with refused("only a later problem of its identity"):
            change(problem, "superseded_by_id = %s", candidate.pk)
    with refused("only a later problem of its identity"):
        change(later, "superseded_by_id = %s", problem.pk)
    assert change(problem, "superseded_by_id = %s", later.pk)
    with refused("the run that resolves it cannot be changed"):
        change(problem, "superseded_by_id = NULL")


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "cancelled"])
def test_only_a_problem_has_a_cause_and_can_recover(tenant: Tenant, state: str) -> None:
    run = create_run(state, tenant)

    with refused("runs_cause_of_a_problem"):
        change(run, "cause = 'missed'")
    with refused("runs_recovered_from_a_problem|only a later success"):
        change(run, RECOVER, run.pk)
    with refused("runs_superseded_problem|only a later problem"):
        change(run, "superseded_by_id = %s", run.pk)


def test_a_cause_is_final(tenant: Tenant) -> None:
    run = create_run("failed", tenant)
    assert change(run, "cause = 'missed'")

    with refused("its cause cannot be changed"):
        change(run, "cause = 'throttled'")


def test_a_note_and_an_assignee_belong_to_an_acknowledgment(
    tenant: Tenant, operator: User, manager: User, stranger: User
) -> None:
    run = create_run("failed", tenant)

    with refused("runs_note_of_an_acknowledgment"):
        change(run, "acknowledgment_note = 'Later'")
    with refused("runs_note_of_an_acknowledgment"):
        change(run, "assigned_to_id = %s", operator.pk)
    with refused("only a member of its workspace can be assigned"):
        change(run, "acknowledged_at = now(), assigned_to_id = %s", stranger.pk)
    assert change(
        run, "acknowledged_at = now(), acknowledgment_note = 'x', assigned_to_id = %s", operator.pk
    )
    with refused("acknowledgment are final"):
        change(run, "acknowledgment_note = 'y'")
    with refused("acknowledgment are final"):
        change(run, "assigned_to_id = %s", manager.pk)
    assert change(run, "assigned_to_id = NULL")
