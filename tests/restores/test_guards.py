"""The database guards of restores, attacked with plain SQL."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from restores.models import RestoreItem, RestoreRun
from tenancy.models import Tenant
from tenancy.roles import Role
from tests.support.factories import MembershipFactory, TenantFactory, create_member
from tests.support.factories.restores import RestoreItemFactory, create_restore

pytestmark = pytest.mark.django_db


def change(row: Any, assignment: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {assignment} WHERE id = %s", [*values, row.pk]
        )


@pytest.fixture
def restore(tenant: Tenant) -> RestoreRun:
    return create_restore(tenant)


@pytest.fixture
def executing(tenant: Tenant) -> RestoreRun:
    return create_restore(tenant, executing=True)


@pytest.mark.parametrize("status", ["previewing", "nonsense"])
def test_a_status_is_never_entered_again(restore: RestoreRun, status: str) -> None:
    with pytest.raises(DatabaseError, match="its status can only move forward"):
        change(restore, "status = %s", status)


def test_an_executing_restore_never_returns_to_preview(executing: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="its status can only move forward"):
        change(executing, "status = 'previewed'")
    change(executing, "status = 'ended', ended_at = now()")
    with pytest.raises(DatabaseError, match=r"has ended|only move forward"):
        change(executing, "status = 'executing', ended_at = NULL")


@pytest.mark.parametrize(
    "assignment",
    ["assignments = 'backup'", "access_state = 'as_backed_up'", "requested_by_name = 'Eve'"],
)
def test_a_request_never_changes(restore: RestoreRun, assignment: str) -> None:
    with pytest.raises(DatabaseError, match="its request cannot be changed"):
        change(restore, assignment)


def test_a_finished_preview_never_changes(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="its preview cannot be changed"):
        change(restore, "preview_digest = 'other'")
    for column in ("action = 'create'", "live_hash = 'x'", "target_id = 'x'"):
        with pytest.raises(DatabaseError, match="its preview cannot be changed"):
            change(restore.items.get(), column)


def test_an_execution_needs_a_preview_and_is_no_dry_run(restore: RestoreRun) -> None:
    with pytest.raises(IntegrityError, match="executed_as_previewed"):
        change(restore, "status = 'executing', executed_at = now()")


def test_a_tenant_has_one_executing_restore_at_a_time(executing: RestoreRun) -> None:
    second = create_restore(executing.tenant)

    with pytest.raises(IntegrityError, match="one_active_per_tenant"):
        change(second, "status = 'executing', is_dry_run = false, executed_at = now()")


def test_the_requester_cannot_approve(restore: RestoreRun) -> None:
    MembershipFactory(user=restore.requested_by, workspace=restore.workspace, role=Role.OWNER)

    with pytest.raises(DatabaseError, match="a second person must approve"):
        change(restore, "approved_by_id = requested_by_id, approved_at = now()")


def test_decisions_are_locked_after_approval_in_the_database(restore: RestoreRun) -> None:
    approver = create_member(restore.workspace, Role.MANAGER)
    change(restore, "approved_by_id = %s, approved_at = now()", approver.pk)

    with pytest.raises(DatabaseError, match="cannot be changed after approval"):
        change(restore.items.get(), "decision = 'take'")


def test_an_executing_restore_cannot_be_approved(executing: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="only a previewed restore"):
        change(executing, "approved_at = now()")


def test_no_item_is_added_after_the_preview(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="only be added during the preview"):
        RestoreItemFactory(restore=restore)


@pytest.mark.parametrize(
    "assignment",
    ["executed_at = NULL", "is_dry_run = true", "ended_at = now()", "previewed_at = NULL"],
)
def test_an_ended_restore_never_changes(executing: RestoreRun, assignment: str) -> None:
    change(executing, "status = 'ended', ended_at = now() - interval '1 hour'")

    with pytest.raises(DatabaseError, match="it has ended and cannot be changed"):
        change(executing, assignment)


def test_a_restore_and_its_tenant_share_a_workspace(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError):
        change(restore, "tenant_id = %s", TenantFactory().pk)


@pytest.mark.parametrize("table", ["restore_items", "restore_runs"])
@pytest.mark.parametrize("stage", ["restore", "executing"])
def test_a_restore_is_never_deleted(request: pytest.FixtureRequest, stage: str, table: str) -> None:
    request.getfixturevalue(stage)
    with (
        pytest.raises(DatabaseError, match=r"a restore cannot be deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    ("earlier", "state"),
    [
        ([], "applied"),
        ([], "verified"),
        (["intent"], "planned"),
        (["intent"], "verified"),
        (["intent", "applied"], "intent"),
        (["intent", "applied"], "failed"),
        (["intent", "applied", "verified"], "differs"),
        (["intent", "unknown"], "verified"),
        (["failed"], "intent"),
    ],
)
def test_item_states_follow_their_order(
    executing: RestoreRun, earlier: list[str], state: str
) -> None:
    item = executing.items.get()
    for earlier_state in earlier:
        change(item, "state = %s", earlier_state)

    with pytest.raises(DatabaseError, match="cannot become"):
        change(item, "state = %s", state)


def test_no_item_is_written_during_the_preview(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="cannot become"):
        change(restore.items.get(), "state = 'intent'")


def test_the_result_of_an_item_never_changes(executing: RestoreRun) -> None:
    item: RestoreItem = executing.items.get()
    change(item, "state = 'failed'")

    for column in ("outcome_code = 'x'", "after_hash = 'x'", "result_id = 'x'"):
        with pytest.raises(DatabaseError, match="its result cannot be changed"):
            change(item, column)


def test_decisions_are_locked_during_the_execution(executing: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="cannot be changed after the preview"):
        change(executing.items.get(), "decision = 'take'")
