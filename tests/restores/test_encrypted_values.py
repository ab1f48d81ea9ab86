"""Encrypted OMA-URI values: a connection that may read them backs them up, and restores them."""

from __future__ import annotations

import base64
from typing import Any

import psycopg
import pytest
from django.test import Client

from backups.models import BackupItem
from providers.configuration_secrets import ConfigurationSecrets
from providers.graph.errors import InvalidRequest
from providers.graph.tokens import forget_all_tokens
from providers.models import ConfigurationSecret
from providers.rotation import rotate_credentials
from restores.models import Action, ItemState
from tenancy.crypto import new_key
from tenancy.models import Tenant, User
from tenancy.rotation import RotationResult
from tests.support.factories import TenantFactory
from tests.support.restores import RestoreScenario, objects_named, only_item
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ALL = {"assignments": "backup"}
VALUE, XML = (
    "Pq7-the-license-of-the-agent",
    "<enabled/><data id='Key' value='Zx9-the-value-of-the-key'/>",
)
SECRETS = "UPDATE configuration_secrets SET {}"


def setting(name: str, value: str, odata_type: str = "omaSettingString") -> dict[str, Any]:
    return {
        "@odata.type": f"#microsoft.graph.{odata_type}",
        "displayName": name,
        "omaUri": f"./Vendor/MSFT/{name}",
        "value": "****",
        "isEncrypted": True,
        "secretReferenceValueId": f"tenant_policy_{name}",
        "plainValue": value,
    }


def allow(scenario: RestoreScenario, *, allowed: bool = True) -> None:
    scenario.tenant.connections.update(reads_encrypted_values=allowed)


@pytest.fixture
def profile(scenario: RestoreScenario) -> BackupItem:
    """A profile with two encrypted values, backed up by a connection that may read them."""
    allow(scenario)
    entry = {
        "@odata.type": "#microsoft.graph.windows10CustomConfiguration",
        "displayName": "Agent",
        "description": "",
        "roleScopeTagIds": ["0"],
        "assignments": [],
        "omaSettings": [setting("Key", VALUE), setting("Admx", XML, "omaSettingStringXml")],
    }
    tenant_id = scenario.tenant.external_id
    graph_id = scenario.graph.put_object(tenant_id, "device_configuration", entry)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    return scenario.backup_set.items.get(graph_id=graph_id)


def values(entry: dict[str, Any]) -> list[str]:
    return [each.get("plainValue", each["value"]) for each in entry["omaSettings"]]


def test_the_values_are_backed_up_encrypted_and_shown_nowhere(
    scenario: RestoreScenario, profile: BackupItem, manager: User
) -> None:
    page = open_session(Client(), manager).get(profile.get_absolute_url()).content.decode()
    again = scenario.back_up_again(profile)
    stored = list(ConfigurationSecret.objects.values_list("setting", "encrypted_value"))

    assert profile.version
    payload = str(profile.version.payload)
    assert payload.count("encrypted-value:") == 2
    assert {name for name, _ in stored} == {"./Vendor/MSFT/Key", "./Vendor/MSFT/Admx"}
    for text in (payload, page, str(stored)):
        assert VALUE not in text
        assert "Zx9-the-value" not in text
    assert again.version_id == profile.version_id
    assert "Runledger does not restore this object" not in page


def test_a_deleted_profile_comes_back_with_its_values(
    scenario: RestoreScenario, profile: BackupItem
) -> None:
    scenario.delete(profile)
    scenario.graph.fault(scenario.tenant.external_id, "encrypt_values")

    restore, run = scenario.restore([profile], **ALL)

    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    (restored,) = objects_named(scenario, profile)
    assert values(restored) == [VALUE, base64.b64encode(XML.encode()).decode()]


def test_a_changed_value_is_a_difference_and_is_restored(
    scenario: RestoreScenario, profile: BackupItem
) -> None:
    scenario.change(profile, omaSettings=[setting("Key", "other"), setting("Admx", XML)])
    scenario.graph.fault(scenario.tenant.external_id, "encrypt_values")
    changed = only_item(scenario.preview([profile], **ALL))

    restore, run = scenario.restore([profile], **ALL)

    assert changed.action == Action.CONFLICT
    assert "other" not in str(changed.changes)
    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    (restored,) = objects_named(scenario, profile)
    assert values(restored)[0] == VALUE


@pytest.mark.parametrize("cause", ["not allowed", "no permission"])
def test_without_the_values_nothing_is_compared_or_written(
    scenario: RestoreScenario, profile: BackupItem, cause: str
) -> None:
    if cause == "not allowed":
        allow(scenario, allowed=False)
    else:
        permissions = ["Organization.Read.All", "DeviceManagementConfiguration.Read.All"]
        connection = scenario.tenant.connections.get()
        scenario.graph.add_tenant(
            scenario.tenant.external_id,
            connection.client_id,
            connection.credential(),
            permissions=permissions,
        )
        forget_all_tokens()

    row = only_item(scenario.preview([profile], **ALL))

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_values_not_read")


def test_a_connection_that_may_not_read_values_keeps_the_masks(scenario: RestoreScenario) -> None:
    entry = {
        "@odata.type": "#microsoft.graph.windows10CustomConfiguration",
        "displayName": "Agent",
        "omaSettings": [setting("Key", VALUE)],
    }
    tenant_id = scenario.tenant.external_id
    graph_id = scenario.graph.put_object(tenant_id, "device_configuration", entry)

    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    item = scenario.backup_set.items.get(graph_id=graph_id)
    scenario.delete(item)

    row = only_item(scenario.preview([item], **ALL))
    assert row.reason_code == "restore_encrypted"
    assert "(1 found)" in row.message
    assert not ConfigurationSecret.objects.exists()


def test_a_value_belongs_to_its_tenant_and_follows_the_keys(tenant: Tenant, settings: Any) -> None:
    secrets = ConfigurationSecrets(tenant)
    reference = secrets.seal("./a", VALUE)
    settings.CREDENTIAL_KEYS = f"new:{new_key()},{settings.CREDENTIAL_KEYS}"

    results = rotate_credentials()

    assert results[RotationResult.ROTATED] == 1
    assert ConfigurationSecret.objects.get().encrypted_value.startswith("rl1.new.")
    assert secrets.open(reference) == VALUE
    assert secrets.seal("./a", VALUE) == reference
    assert secrets.seal("./b", VALUE) != reference
    with pytest.raises(InvalidRequest):
        ConfigurationSecrets(TenantFactory()).open(reference)
    settings.CREDENTIAL_KEYS = f"other:{new_key()}"
    with pytest.raises(InvalidRequest):
        secrets.open(reference)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        SECRETS.format("encrypted_value = 'in clear'"),
        SECRETS.format("setting = './other'"),
        SECRETS.format("tenant_id = {other}"),
        "DELETE FROM configuration_secrets",
        "TRUNCATE configuration_secrets",
    ],
)
def test_the_application_cannot_rewrite_a_value(
    app_role: str, tenant: Tenant, statement: str
) -> None:
    ConfigurationSecrets(tenant).seal("./a", VALUE)
    before = list(ConfigurationSecret.objects.values())
    attack = statement.replace("{other}", str(TenantFactory().pk))

    with psycopg.connect(app_role, autocommit=True) as session, pytest.raises(psycopg.Error):
        session.execute(attack)

    assert list(ConfigurationSecret.objects.values()) == before
