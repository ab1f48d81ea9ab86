"""What must never happen to a restore, tried with plain SQL."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from restores.models import RestoreItem, RestoreRun
from tenancy.models import Tenant
from tests.support.factories import TenantFactory, UserFactory
from tests.support.factories.restores import RestoreItemFactory, a_restore

pytestmark = pytest.mark.django_db


def change(row: Any, assignment: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {assignment} WHERE id = %s", [*values, row.pk]
        )


@pytest.fixture
def restore(tenant: Tenant) -> RestoreRun:
    return a_restore(tenant)


@pytest.fixture
def executing(tenant: Tenant) -> RestoreRun:
    return a_restore(tenant, executing=True)


@pytest.mark.parametrize("status", ["previewing", "nonsense"])
def test_a_status_is_never_entered_again(restore: RestoreRun, status: str) -> None:
    with pytest.raises(DatabaseError, match="never entered again"):
        change(restore, "status = %s", status)


def test_what_is_executed_does_not_go_back_to_its_preview(executing: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="never entered again"):
        change(executing, "status = 'previewed'")
    change(executing, "status = 'ended', ended_at = now()")
    with pytest.raises(DatabaseError, match=r"is history|never entered again"):
        change(executing, "status = 'executing', ended_at = NULL")


@pytest.mark.parametrize(
    "assignment",
    ["assignments = 'backup'", "access_state = 'as_backed_up'", "requested_by_name = 'Eve'"],
)
def test_what_was_asked_for_is_written_once(restore: RestoreRun, assignment: str) -> None:
    with pytest.raises(DatabaseError, match="what was asked for"):
        change(restore, assignment)


def test_a_preview_is_bound(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="what was previewed"):
        change(restore, "preview_digest = 'other'")
    for column in ("action = 'create'", "live_hash = 'x'", "target_id = 'x'"):
        with pytest.raises(DatabaseError, match="what was previewed"):
            change(restore.items.get(), column)


def test_nothing_is_executed_without_a_preview_or_as_a_dry_run(restore: RestoreRun) -> None:
    with pytest.raises(IntegrityError, match="executed_as_previewed"):
        change(restore, "status = 'executing', executed_at = now()")


def test_one_restore_of_a_tenant_is_executed_at_a_time(executing: RestoreRun) -> None:
    second = a_restore(executing.tenant)

    with pytest.raises(IntegrityError, match="one_active_per_tenant"):
        change(second, "status = 'executing', is_dry_run = false, executed_at = now()")


def test_nobody_approves_their_own(restore: RestoreRun) -> None:
    person = UserFactory()
    change(restore, "requested_by_id = %s", person.pk)

    with pytest.raises(DatabaseError, match="a second person"):
        change(restore, "approved_by_id = %s, approved_at = now()", person.pk)


def test_what_was_approved_is_not_decided_otherwise(restore: RestoreRun) -> None:
    change(restore, "approved_by_id = %s, approved_at = now()", UserFactory().pk)

    with pytest.raises(DatabaseError, match="approved as it is"):
        change(restore.items.get(), "choice = 'take'")


def test_nothing_is_approved_any_more_while_it_is_executed(executing: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="only what was previewed"):
        change(executing, "approved_at = now()")


def test_nothing_comes_to_a_restore_after_its_preview(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="what was asked for"):
        RestoreItemFactory(restore=restore)


@pytest.mark.parametrize(
    "assignment",
    ["executed_at = NULL", "is_dry_run = true", "ended_at = now()", "previewed_at = NULL"],
)
def test_what_has_ended_is_history(executing: RestoreRun, assignment: str) -> None:
    change(executing, "status = 'ended', ended_at = now() - interval '1 hour'")

    with pytest.raises(DatabaseError, match="is history"):
        change(executing, assignment)


def test_no_restore_is_of_a_tenant_of_another_workspace(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError):
        change(restore, "tenant_id = %s", TenantFactory().pk)


@pytest.mark.parametrize("table", ["restore_items", "restore_runs"])
def test_what_was_written_is_never_deleted(executing: RestoreRun, table: str) -> None:
    with (
        pytest.raises(DatabaseError, match="is history"),
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
def test_an_object_goes_its_way_in_order(
    executing: RestoreRun, earlier: list[str], state: str
) -> None:
    item = executing.items.get()
    for each in earlier:
        change(item, "state = %s", each)

    with pytest.raises(DatabaseError, match="cannot become"):
        change(item, "state = %s", state)


def test_nothing_is_written_while_it_is_only_previewed(restore: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="cannot become"):
        change(restore.items.get(), "state = 'intent'")


def test_what_became_of_an_object_is_history(executing: RestoreRun) -> None:
    item: RestoreItem = executing.items.get()
    change(item, "state = 'failed'")

    for column in ("outcome_code = 'x'", "after_hash = 'x'", "result_id = 'x'"):
        with pytest.raises(DatabaseError, match="is history"):
            change(item, column)


def test_what_was_decided_stays_decided(executing: RestoreRun) -> None:
    with pytest.raises(DatabaseError, match="decided before"):
        change(executing.items.get(), "choice = 'take'")
