"""Retention deletes an encrypted value with the last content that refers to it, and not before."""

from __future__ import annotations

from functools import partial

import psycopg
import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from backups import retention
from backups.models import BackupItem, PolicyVersion
from providers.configuration_secrets import ConfigurationSecrets
from providers.models import ConfigurationSecret
from tenancy.models import Tenant, Workspace
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
)

pytestmark = pytest.mark.django_db

VALUE = "Pq7-the-license-of-the-agent"


def profile(workspace: Workspace, *references: str, name: str = "Agent") -> PolicyVersion:
    settings = [{"omaUri": "./a", "value": reference} for reference in ("1", *references)]
    payload = {"id": "1", "displayName": name, "omaSettings": settings}
    version: PolicyVersion = PolicyVersionFactory(workspace=workspace, payload=payload)
    return version


def back_up(tenant: Tenant, version: PolicyVersion) -> BackupItem:
    backup_set = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    item: BackupItem = BackupItemFactory(backup_set=backup_set, version=version)
    return item


def make_due() -> None:
    """Let every value be checked now, as it is a week after it was read."""
    ConfigurationSecret.objects.update(check_after=Now())


def stored() -> set[str]:
    return {f"encrypted-value:{row.pk}" for row in ConfigurationSecret.objects.all()}


def test_a_value_is_deleted_with_the_last_content_that_refers_to_it(tenant: Tenant) -> None:
    seal = ConfigurationSecrets(tenant).seal
    kept, removed, shared = (seal(f"./{name}", VALUE) for name in ("kept", "removed", "shared"))
    item = back_up(tenant, profile(tenant.workspace, kept, shared))
    profile(tenant.workspace, removed, shared, name="Old agent")
    make_due()

    assert retention.delete_unneeded_secrets() == 0
    assert retention.delete_unreferenced_versions(tenant.workspace_id) == 1
    # The values that a content needed are checked again after a day.
    assert retention.delete_unneeded_secrets() == 0
    make_due()
    assert retention.delete_unneeded_secrets() == 1

    assert item.version
    assert item.version.payload["omaSettings"][1]["value"] == kept
    assert stored() == {kept, shared}
    assert ConfigurationSecrets(tenant).open(kept) == VALUE


def test_a_value_that_was_read_recently_is_kept(tenant: Tenant) -> None:
    secrets = ConfigurationSecrets(tenant)
    reference = secrets.seal("./a", VALUE)
    assert retention.delete_unneeded_secrets() == 0
    make_due()

    assert secrets.seal("./a", VALUE) == reference
    assert retention.delete_unneeded_secrets() == 0

    assert stored() == {reference}


def test_a_text_in_another_content_keeps_no_value(tenant: Tenant) -> None:
    """Only the settings of the tenant's own profiles refer to values."""
    reference = ConfigurationSecrets(tenant).seal("./a", VALUE)
    PolicyVersionFactory(workspace=tenant.workspace, payload={"description": reference})
    PolicyVersionFactory(workspace=tenant.workspace, payload={"omaSettings": reference})
    make_due()

    assert retention.delete_unneeded_secrets() == 1


def test_many_values_are_checked_in_batches(tenant: Tenant) -> None:
    reference = ConfigurationSecrets(tenant).seal("./a", VALUE)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO configuration_secrets"
            " (id, workspace_id, tenant_id, setting, encrypted_value, created_at, check_after)"
            " SELECT gen_random_uuid(), workspace_id, tenant_id, setting, encrypted_value,"
            " created_at, now() FROM configuration_secrets, generate_series(1, 1500)"
        )

    assert [retention.delete_unneeded_secrets() for _ in range(3)] == [1000, 500, 0]
    assert stored() == {reference}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_value_that_is_read_while_it_is_deleted_is_stored_again() -> None:
    tenant = TenantFactory()
    secrets = ConfigurationSecrets(tenant)
    deleted = secrets.seal("./a", VALUE)
    make_due()

    with racing_threads(1) as others:
        pid = others.submit(backend_pid).result(timeout=60)
        with transaction.atomic():
            assert retention.delete_unneeded_secrets() == 1
            sealing = others.submit(partial(secrets.seal, "./a", VALUE))
            wait_until_blocked(pid, by=backend_pid())
        reference = sealing.result(timeout=60)

    assert reference != deleted
    assert secrets.open(reference) == VALUE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM configuration_secrets",
        "SET runledger.pruning = 'on'; DELETE FROM configuration_secrets",
        "SELECT configuration_secrets_delete_unneeded()",
    ],
)
def test_the_application_cannot_delete_a_value_that_a_backup_needs(
    app_role: str, statement: str
) -> None:
    tenant = TenantFactory()
    reference = ConfigurationSecrets(tenant).seal("./a", VALUE)
    back_up(tenant, profile(tenant.workspace, reference))
    make_due()

    with psycopg.connect(app_role, autocommit=True) as session:
        if statement.startswith("SELECT"):
            assert session.execute(statement).fetchone() == (0,)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)

    assert stored() == {reference}
