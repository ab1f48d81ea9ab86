"""A set that no schedule looks after is deleted by hand, and no other."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from backups import services
from backups.models import BackupItem, BackupSet, PolicyVersion, SetPurpose
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def selection(tenant: Tenant) -> BackupSet:
    """A finished selection with an item."""
    made = BackupSetFactory(
        schedule=None,
        tenant=tenant,
        workspace=tenant.workspace,
        purpose=SetPurpose.SELECTION,
        name="Before the migration",
        kinds=["conditional_access"],
    )
    BackupItemFactory(backup_set=made)
    return finish(made, item_count=1)


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    open_session(client, manager)
    return client


def test_a_selection_is_deleted_with_what_only_it_holds(page: Client, selection: BackupSet) -> None:
    shown = page.get(selection.get_absolute_url()).content.decode()

    answer = page.post(f"{selection.get_absolute_url()}delete/", follow=True)

    assert "Delete backup set" in shown
    assert "“Before the migration” of Fabrikam deleted." in answer.content.decode()
    assert not BackupSet.objects.exists()
    assert not BackupItem.objects.exists()
    assert not PolicyVersion.objects.exists()


def test_the_set_of_a_schedule_is_left_to_its_retention(page: Client, tenant: Tenant) -> None:
    kept = finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))

    shown = page.get(kept.get_absolute_url()).content.decode()
    answer = page.post(f"{kept.get_absolute_url()}delete/", follow=True)

    assert "Delete backup set" not in shown
    assert "The retention of its schedule deletes this set." in answer.content.decode()
    assert BackupSet.objects.get() == kept


def test_the_last_complete_backup_outlives_its_schedule(tenant: Tenant, manager: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    old, last = (finish(BackupSetFactory(schedule=schedule)) for _ in range(2))
    schedule.delete()

    for backup_set in (old, last):
        backup_set.refresh_from_db()
    services.delete_set(old, by=manager)
    with pytest.raises(ValidationError, match="last complete backup"):
        services.delete_set(last, by=manager)

    assert BackupSet.objects.get() == last


def test_a_set_that_a_run_is_at_work_with_is_not_deleted(
    selection: BackupSet, manager: User
) -> None:
    run = OperationRunFactory(
        tenant=selection.tenant, running=True, context={"backup_set_id": selection.pk}
    )

    with pytest.raises(ValidationError, match="at work"):
        services.delete_set(selection, by=manager)

    assert run.is_active
    assert BackupSet.objects.get() == selection
