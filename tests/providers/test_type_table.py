"""What Microsoft's metadata says about types: links, unread parts, and values that are not returned."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from dev import graph_metadata
from providers.graph import type_table
from providers.graph.kinds import KIND, KINDS
from providers.graph.type_table import WriteOnly

PROFILES = KIND["device_configuration"]
MODELS = "msgraph_beta/generated/models/"
FIELD = "            \"{name}\": lambda n : setattr(self, '{snake}', n.get_{how}({value})),\n"


def profile(odata_type: str, **properties: Any) -> dict[str, Any]:
    typed = {"@odata.type": f"#microsoft.graph.{odata_type}"}
    links: dict[str, list[str]] = {link.name: [] for link in PROFILES.links(typed)}
    return {**typed, **links, **properties}


def test_every_kind_of_a_backup_has_its_type_and_the_table_its_source() -> None:
    assert [key for key in KINDS if not type_table.types_of(key)] == []
    assert type_table.SOURCE == {"package": "msgraph-beta-sdk", "version": "1.66.0"}


@pytest.mark.parametrize(
    ("odata_type", "links"),
    [
        ("windowsWifiConfiguration", set()),
        ("windows10VpnConfiguration", {"identityCertificate"}),
        (
            # It inherits a property from its base type.
            "androidWorkProfileNineWorkEasConfiguration",
            {"identityCertificate"},
        ),
        (
            "iosEnterpriseWiFiConfiguration",
            {
                "derivedCredentialSettings",
                "identityCertificateForClientAuthentication",
                "rootCertificatesForServerValidation",
            },
        ),
    ],
)
def test_the_links_of_a_profile_follow_from_its_type(odata_type: str, links: set[str]) -> None:
    assert {link.name for link in PROFILES.links(profile(odata_type))} == links


@pytest.mark.parametrize(
    ("odata_type", "properties", "lacks"),
    [
        ("windowsWifiConfiguration", {"wifiSecurityType": "open"}, ""),
        ("windowsWifiConfiguration", {"wifiSecurityType": "wpa2Personal"}, "preSharedKey"),
        ("windowsWifiConfiguration", {"wifiSecurityType": "wep", "preSharedKey": "known"}, ""),
        ("androidDeviceOwnerWiFiConfiguration", {"preSharedKeyIsSet": True}, "preSharedKey"),
        ("androidDeviceOwnerWiFiConfiguration", {"preSharedKeyIsSet": False}, ""),
        ("iosWiFiConfiguration", {"preSharedKey": "*****"}, "preSharedKey"),
        ("iosikEv2VpnConfiguration", {"authenticationMethod": "sharedSecret"}, "sharedSecret"),
        ("iosikEv2VpnConfiguration", {"authenticationMethod": "certificate"}, ""),
        (
            "editionUpgradeConfiguration",
            {"productKey": "#####-#####-#####-#####-ABCDE"},
            "productKey",
        ),
        ("editionUpgradeConfiguration", {"licenseType": "productKey"}, "productKey"),
        ("editionUpgradeConfiguration", {"licenseType": "licenseFile"}, ""),
        # Graph returns a placeholder, whatever it looks like.
        ("androidOmaCpConfiguration", {"configurationXml": "PHhtbC8+"}, "configurationXml"),
        # The table does not know the flag of this type.
        ("windows10GeneralConfiguration", {"preSharedKeyIsSet": True}, "preSharedKey"),
    ],
)
def test_a_value_that_graph_does_not_return_is_lacking(
    odata_type: str, properties: dict[str, Any], lacks: str
) -> None:
    assert PROFILES.lacking

    lacking = PROFILES.lacking(profile(odata_type, **properties))

    assert lacking == ([f"the value of {lacks}"] if lacks else [])


@pytest.mark.parametrize(
    ("key", "payload", "unread"),
    [
        ("intune_roles", {}, ["role assignments"]),
        ("settings_catalog", {"settings": [], "assignments": []}, []),
        ("app_configuration", {"apps": [], "assignments": []}, ["settings"]),
        ("device_configuration", profile("windows10VpnConfiguration", assignments=[]), []),
    ],
)
def test_parts_that_are_not_read_are_named(
    key: str, payload: dict[str, Any], unread: list[str]
) -> None:
    assert KIND[key].unread(payload) == unread


def model(name: str, base: str, *fields: tuple[str, str, str]) -> str:
    """A class of the package, with its properties: the name, how it is read, and its description."""
    attributes = "".join(
        f"    # {text}\n    {snake(each)}: Any = None\n" for each, _, text in fields
    )
    readers = "".join(
        FIELD.format(
            name=each, snake=snake(each), how=how.partition(" ")[0], value=how.partition(" ")[2]
        )
        for each, how, _ in fields
    )
    return f"class {name}({base}, Parsable):\n{attributes}{readers}"


def snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def test_the_table_follows_from_the_models_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "msgraph_beta_sdk-9.9.9-py3-none-any.whl"
    folder = "msgraph_beta/generated/device_management/device_configurations/"
    files = {
        f"{folder}device_configurations_request_builder.py": (
            "    async def get(self) -> Optional[DeviceConfigurationCollectionResponse]:\n"
        ),
        f"{MODELS}entity.py": model("Entity", "AdditionalDataHolder"),
        f"{MODELS}device_configuration.py": model(
            "DeviceConfiguration",
            "Entity",
            ("assignments", "collection_of_object_values Entity", "The assignments."),
        ),
        f"{MODELS}proxy.py": model("Proxy", "AdditionalDataHolder"),
        f"{MODELS}wifi.py": model(
            "Wifi",
            "DeviceConfiguration",
            ("proxy", "object_value Proxy", "A value and no other object."),
            ("rootCertificate", "object_value DeviceConfiguration", "The certificate."),
            ("preSharedKey", "str_value", "The key."),
            ("preSharedKeyIsSet", "bool_value", "Whether it is set."),
            ("pin", "str_value", "The PIN. Write-only."),
        ),
        f"{MODELS}user.py": model("User", "Entity", ("password", "str_value", "Of no kind.")),
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    monkeypatch.setattr(graph_metadata, "KINDS", {"device_configuration": PROFILES})

    table = graph_metadata.build(wheel)

    assert table["source"] == {"package": "msgraph-beta-sdk", "version": "9.9.9"}
    assert table["kinds"] == {"device_configuration": "deviceConfiguration"}
    assert table["types"] == {
        "deviceConfiguration": {"base": "entity", "navigation": {"assignments[]": "entity"}},
        "wifi": {
            "base": "deviceConfiguration",
            "navigation": {"rootCertificate": "deviceConfiguration"},
            "write_only": {
                "pin": {"flag": "", "is_placeholder": True},
                "preSharedKey": {"flag": "preSharedKeyIsSet", "is_placeholder": False},
            },
        },
    }
    assert type_table.write_only("iosWiFiConfiguration") == (WriteOnly("preSharedKey"),)
