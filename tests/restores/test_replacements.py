"""A person replaces an object that a tenant lacks; restores of the tenant then refer to the other."""

from __future__ import annotations

import uuid

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse

from backups.models import BackupItem
from operations.testing import run_now
from restores.models import Action, ItemState, Replacement, RestoreRun
from restores.replacing import replace_missing
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.inventory import DirectoryGroupFactory
from tests.support.restores import RestoreScenario, objects_named, only_item
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ALL = {"assignments": "backup"}
MISSING = str(uuid.uuid4())
TARGET = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": MISSING}


@pytest.fixture
def other_group(scenario: RestoreScenario) -> str:
    """A group of the tenant, which the inventory knows."""
    graph_id = next(iter(scenario.objects("groups")))
    DirectoryGroupFactory(tenant=scenario.tenant, graph_id=graph_id, name="Sales")
    return graph_id


@pytest.fixture
def policy(scenario: RestoreScenario) -> BackupItem:
    """A deleted policy that was assigned to a group that does not exist."""
    item = scenario.items("settings_catalog")[0]
    scenario.change(item, assignments=[{"id": "1", "target": TARGET}], description="assigned")
    item = scenario.back_up_again(item)
    scenario.delete(item)
    return item


def replace(restore: RestoreRun, replacement: str, by: User, missing: str = MISSING) -> RestoreRun:
    again, result = replace_missing(
        restore, kind="groups", missing_id=missing, replacement=replacement, by=by
    )
    run_now(result.run)
    return RestoreRun.objects.with_scope().get(pk=again.pk)


def test_a_missing_group_is_replaced_in_this_restore_and_the_next(
    scenario: RestoreScenario, policy: BackupItem, other_group: str, manager: User
) -> None:
    blocked = scenario.preview([policy], **ALL)

    restore = replace(blocked, "Sales", manager)
    run = scenario.execute(restore)

    assert only_item(blocked).reason_code == "restore_reference_missing"
    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    (restored,) = objects_named(scenario, policy)
    assert [each["target"]["groupId"] for each in restored["assignments"]] == [other_group]
    again = only_item(scenario.preview([policy], **ALL))
    assert again.action == Action.UNCHANGED


def test_a_preview_shows_the_choice_and_its_removal(
    scenario: RestoreScenario, policy: BackupItem, other_group: str, manager: User
) -> None:
    browser = open_session(Client(), manager)
    blocked = scenario.preview([policy], **ALL)
    asks = browser.get(blocked.get_absolute_url()).content.decode()
    address = reverse("restore_replace", args=[scenario.tenant.workspace.slug, blocked.pk])
    body = {"kind": "groups", "missing_id": MISSING, "replacement": other_group}
    response = browser.post(address, body)
    restore = RestoreRun.objects.with_scope().latest("pk")
    assert restore.preview_run
    run_now(restore.preview_run)
    shows = browser.get(restore.get_absolute_url()).content.decode()

    removed = replace(restore, "", manager)

    assert f'value="{MISSING}"' in asks
    assert "Use instead" in asks
    assert response["Location"] == restore.get_absolute_url()
    assert "in place of" in shows
    assert only_item(restore).action == Action.CREATE
    assert only_item(removed).reason_code == "restore_reference_missing"
    assert not Replacement.objects.exists()


def test_a_replacement_that_is_gone_too_replaces_nothing(
    scenario: RestoreScenario, policy: BackupItem, other_group: str, manager: User
) -> None:
    restore = replace(scenario.preview([policy], **ALL), other_group, manager)
    scenario.graph.delete_object(scenario.tenant.external_id, "groups", other_group)

    run = scenario.execute(restore)

    assert only_item(restore).state == ItemState.FAILED
    assert run.outcome == "failed"
    assert not objects_named(scenario, policy)


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        ("Unknown", "no group with this name"),
        ("Elsewhere", "no group with this name"),
        ("Gone", "no group with this name"),
        ("Twice", "More than one group"),
        ("", "has no replacement"),
    ],
)
def test_only_one_present_object_of_the_tenant_is_a_replacement(
    scenario: RestoreScenario, policy: BackupItem, manager: User, replacement: str, message: str
) -> None:
    DirectoryGroupFactory(tenant=TenantFactory(), name="Elsewhere")
    DirectoryGroupFactory(tenant=scenario.tenant, name="Gone", missing=True)
    for _ in range(2):
        DirectoryGroupFactory(tenant=scenario.tenant, name="Twice")
    blocked = scenario.preview([policy], **ALL)

    with pytest.raises(ValidationError, match=message):
        replace(blocked, replacement, manager)

    assert not Replacement.objects.exists()
    blocked.refresh_from_db()
    assert blocked.is_previewed


def test_an_object_that_the_restore_does_not_lack_is_not_replaced(
    scenario: RestoreScenario, policy: BackupItem, other_group: str, manager: User
) -> None:
    blocked = scenario.preview([policy], **ALL)

    with pytest.raises(ValidationError, match="lacks this one"):
        replace(blocked, "Sales", manager, missing=other_group)


@pytest.mark.parametrize(
    ("replacement_id", "is_own_tenant", "constraint"),
    [
        ("b", False, "restore_replacements_tenant_of_workspace"),
        ("a", True, "replacements_of_another_object"),
        ("", True, "replacements_of_another_object"),
    ],
)
def test_the_database_refuses_what_is_no_replacement(
    tenant: Tenant, replacement_id: str, is_own_tenant: bool, constraint: str
) -> None:
    tenant_id = tenant.pk if is_own_tenant else TenantFactory().pk
    values = [tenant.workspace_id, tenant_id, replacement_id]

    with connection.cursor() as cursor, pytest.raises(IntegrityError, match=constraint):
        cursor.execute(
            "INSERT INTO restore_replacements (workspace_id, tenant_id, kind, missing_id, "
            "replacement_id, name) VALUES (%s, %s, 'groups', 'a', %s, '')",
            values,
        )
