"""Users can delete sets that belong to no schedule, and no others."""

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
    backup_set = BackupSetFactory(
        schedule=None,
        tenant=tenant,
        workspace=tenant.workspace,
        purpose=SetPurpose.SELECTION,
        name="Before the migration",
        kinds=["conditional_access"],
    )
    BackupItemFactory(backup_set=backup_set)
    return finish(backup_set, item_count=1)


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    open_session(client, manager)
    return client


def test_a_selection_is_deleted_with_the_contents_that_only_it_refers_to(
    page: Client, selection: BackupSet
) -> None:
    html = page.get(selection.get_absolute_url()).content.decode()

    response = page.post(f"{selection.get_absolute_url()}delete/", follow=True)

    assert "Delete backup set" in html
    assert "“Before the migration” of Fabrikam deleted." in response.content.decode()
    assert not BackupSet.objects.exists()
    assert not BackupItem.objects.exists()
    assert not PolicyVersion.objects.exists()


def test_only_retention_deletes_the_set_of_a_schedule(page: Client, tenant: Tenant) -> None:
    backup_set = finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))

    html = page.get(backup_set.get_absolute_url()).content.decode()
    response = page.post(f"{backup_set.get_absolute_url()}delete/", follow=True)

    assert "Delete backup set" not in html
    assert "The retention of its schedule deletes this set." in response.content.decode()
    assert BackupSet.objects.get() == backup_set


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


def test_a_set_that_an_active_run_uses_is_not_deleted(selection: BackupSet, manager: User) -> None:
    run = OperationRunFactory(
        tenant=selection.tenant, running=True, context={"backup_set_id": selection.pk}
    )

    with pytest.raises(ValidationError, match="using this backup set"):
        services.delete_set(selection, by=manager)

    assert run.is_active
    assert BackupSet.objects.get() == selection
