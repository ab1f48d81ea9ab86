"""Links to certificates and members are backed up and restored; without them nothing is restored."""

from __future__ import annotations

from typing import Any

import pytest

from backups.models import BackupItem
from providers.graph.kinds import KIND
from restores.models import Action, ItemState
from tests.support.restores import RestoreScenario, objects_named, only_item

pytestmark = pytest.mark.django_db

ALL = {"assignments": "backup"}
ROOTS, IDENTITY = (
    "rootCertificatesForServerValidation",
    "identityCertificateForClientAuthentication",
)


def put(scenario: RestoreScenario, odata_type: str, name: str, **properties: Any) -> str:
    entry = {
        "@odata.type": f"#microsoft.graph.{odata_type}",
        "displayName": name,
        "description": "",
        "roleScopeTagIds": ["0"],
        "assignments": [],
        **properties,
    }
    tenant_id = scenario.tenant.external_id
    return str(scenario.graph.put_object(tenant_id, "device_configuration", entry))


@pytest.fixture
def profiles(scenario: RestoreScenario) -> dict[str, BackupItem]:
    """A Wi-Fi profile that links to two certificates, one of which links to the other."""
    root = put(scenario, "windows81TrustedRootCertificate", "Z root", certFileName="root.cer")
    scep = put(scenario, "windows81SCEPCertificateProfile", "Y client", rootCertificate=[root])
    links = {ROOTS: [root], IDENTITY: [scep]}
    wifi = put(scenario, "windowsWifiEnterpriseEAPConfiguration", "A Wi-Fi", ssid="corp", **links)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    items = {item.graph_id: item for item in scenario.items("device_configuration")}
    return {"root": items[root], "scep": items[scep], "wifi": items[wifi]}


def test_the_links_of_a_profile_are_part_of_its_backup(profiles: dict[str, BackupItem]) -> None:
    version = profiles["wifi"].version

    assert profiles["wifi"].complete
    assert version
    assert version.payload[ROOTS] == [profiles["root"].graph_id]
    assert version.payload[IDENTITY] == [profiles["scep"].graph_id]


def test_deleted_profiles_are_restored_in_order_and_linked_again(
    scenario: RestoreScenario, profiles: dict[str, BackupItem]
) -> None:
    for item in profiles.values():
        scenario.delete(item)

    restore, run = scenario.restore(list(profiles.values()), **ALL)

    assert {item.state for item in restore.items.all()} == {ItemState.VERIFIED}, run.failures
    root, scep, wifi = (
        objects_named(scenario, profiles[name])[0] for name in ("root", "scep", "wifi")
    )
    assert scep["rootCertificate"] == [root["id"]]
    assert (wifi[ROOTS], wifi[IDENTITY]) == ([root["id"]], [scep["id"]])


def test_a_removed_link_is_restored(
    scenario: RestoreScenario, profiles: dict[str, BackupItem]
) -> None:
    scenario.change(profiles["wifi"], **{ROOTS: [], IDENTITY: [profiles["root"].graph_id]})

    restore, run = scenario.restore([profiles["wifi"]], **ALL)

    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    wifi = objects_named(scenario, profiles["wifi"])[0]
    assert wifi[ROOTS] == [profiles["root"].graph_id]
    assert wifi[IDENTITY] == [profiles["scep"].graph_id]


def test_a_link_to_a_deleted_profile_blocks(
    scenario: RestoreScenario, profiles: dict[str, BackupItem]
) -> None:
    for item in profiles.values():
        scenario.delete(item)

    row = only_item(scenario.preview([profiles["wifi"]], **ALL))

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_reference_missing")


@pytest.mark.parametrize(
    "properties",
    [
        {"wifiSecurityType": "wpa2Personal", "preSharedKey": None},
        {"preSharedKeyIsSet": True},
    ],
    ids=lambda properties: next(iter(properties)),
)
def test_a_profile_with_a_shared_key_is_never_restored_and_compared_without_it(
    scenario: RestoreScenario, properties: dict[str, Any]
) -> None:
    wifi = put(scenario, "windowsWifiConfiguration", "Shop", **properties)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    item = scenario.backup_set.items.get(graph_id=wifi)
    scenario.delete(item)

    row = only_item(scenario.preview([item], **ALL))

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_lacking")
    assert "preSharedKey" in row.message

    again = put(scenario, "windowsWifiConfiguration", "Shop", **properties)
    row = only_item(scenario.preview([item], **ALL))

    assert (row.action, row.target_id) == (Action.UNCHANGED, again)
    assert "preSharedKey: that was not compared" in row.warning


def test_a_backup_from_before_links_were_read_is_not_restored() -> None:
    payload = {"@odata.type": "#microsoft.graph.windows81SCEPCertificateProfile"}
    kind = KIND["device_configuration"]

    assert kind.lacking
    assert kind.lacking(payload) == ["the links in rootCertificate"]
    assert kind.lacking({**payload, "rootCertificate": []}) == []


@pytest.mark.parametrize(
    ("properties", "is_refused"),
    [
        ({}, False),
        ({"isAssignableToRole": True}, True),
        ({"onPremisesSyncEnabled": True}, True),
        ({"mailEnabled": True}, True),
    ],
)
def test_only_security_groups_of_the_directory_are_restored(
    properties: dict[str, Any], is_refused: bool
) -> None:
    refuses = KIND["groups"].refuses

    assert refuses
    assert bool(refuses(properties)) is is_refused
