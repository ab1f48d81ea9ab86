"""The functions of retention, which the application may call, delete nothing that must be kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from restores.models import RestoreRun
from tenancy.models import Tenant
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.ledger import create_ledger, ledger_content

pytestmark = pytest.mark.django_db(transaction=True)

#: What the functions of retention, which the role may call, refuse.
ATTACKS = {
    "runs of today": "SELECT operation_runs_mark_details_removed(ARRAY(SELECT id FROM operation_runs))",
    "details": "SELECT operation_runs_delete_details(ARRAY(SELECT id FROM operation_runs), 1000)",
    "rows": "SELECT operation_runs_remove(ARRAY(SELECT id FROM operation_runs))",
    "tombstones of today": (
        "SELECT operation_run_tombstones_delete(workspace_id, 'infinity', 1000) FROM tenants"
    ),
    "recent backups": "SELECT backup_sets_delete(id) FROM backup_sets",
    "items of a finished set": "SELECT backup_items_remove(id) FROM backup_items",
    "contents in use": "SELECT policy_versions_delete_unreferenced(id) FROM workspaces",
    "backups of a schedule that keeps nothing": (
        "UPDATE backup_schedules SET retention_keep_sets = 1, retention_keep_days = 1;"
        " SELECT backup_sets_delete(id) FROM backup_sets"
    ),
}


@pytest.fixture
def session(app_role: str, tenant: Tenant) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application's role, with one row of every kind in the ledger."""
    create_ledger(tenant)
    with psycopg.connect(app_role, autocommit=True) as session:
        yield session


@pytest.mark.parametrize("name", ATTACKS)
def test_retention_deletes_nothing_that_must_be_kept(session: Any, name: str) -> None:
    before = ledger_content()

    session.execute(ATTACKS[name])

    assert ledger_content() == before


def test_retention_deletes_a_set_that_its_schedule_no_longer_keeps(
    session: Any, tenant: Tenant
) -> None:
    """The control: the functions delete what they may, as the application's role."""
    schedule = BackupScheduleFactory(tenant=tenant, retention_keep_sets=1, retention_keep_days=1)
    old = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule)).backup_set
    finish(old, ended_at=old.started_at.replace(year=2020))
    finish(BackupSetFactory(schedule=schedule))
    empty = BackupSetFactory(schedule=schedule)
    listed = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule), missed=True)

    deleted = session.execute("SELECT id, backup_sets_delete(id) FROM backup_sets").fetchall()
    removed = session.execute("SELECT backup_items_remove(%s)", [listed.pk]).fetchone()
    contents = session.execute(
        "SELECT policy_versions_delete_unreferenced(%s)", [tenant.workspace_id]
    ).fetchone()

    assert {set_id for set_id, is_deleted in deleted if is_deleted} == {old.pk, empty.pk}
    assert (removed, contents) == ((True,), (1,))
    assert RestoreRun.objects.filter(backup_set=old.pk).count() == 0
