"""Device configuration profiles, of many types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.template.defaultfilters import pluralize

from providers.graph import type_table
from providers.graph.capture import with_detail
from providers.graph.normalize import Noise, is_masked, is_sealed
from providers.graph.policy_kind import Action, Assign, Link, Need, PolicyKind, Restore, Service
from providers.graph.references import Reference
from providers.graph.type_table import WriteOnly

_PATH = "/beta/deviceManagement/deviceConfigurations"
_CREDENTIALS = "/beta/deviceManagement/derivedCredentials"
#: Navigation properties that are read and written in another way than links.
_NO_LINKS = frozenset({"assignments[]", "privacyAccessControls[]"})
#: What shows that a profile has a value that Graph does not return, where no flag says so: the
#: properties and their values.
_NEEDED_IF: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    "preSharedKey": (
        ("wifiSecurityType", "wiFiSecurityType"),
        frozenset({"wep", "wpaPersonal", "wpa2Personal", "wpa3Personal"}),
    ),
    "sharedSecret": (("authenticationMethod",), frozenset({"sharedSecret"})),
    "productKey": (("licenseType",), frozenset({"productKey"})),
}
#: What Graph returns in place of some values: “****”, “#####-#####”.
_MASK = re.compile(r"[*#\u2022]{3}")


def _links(payload: Mapping[str, Any]) -> tuple[Link, ...]:
    """The links of a profile of this type, most of them to certificates."""
    odata_type = type_table.short_type(payload.get("@odata.type"))
    names = type_table.navigation(odata_type)
    return tuple(_link(odata_type, name) for name in names if name not in _NO_LINKS)


def _link(odata_type: str, name: str) -> Link:
    is_credential = name == "derivedCredentialSettings"
    return Link(
        name=name.removesuffix("[]"),
        target=f"{_CREDENTIALS if is_credential else _PATH}('{{id}}')",
        kind="" if is_credential else "device_configuration",
        cast=f"microsoft.graph.{odata_type}",
        is_list=name.endswith("[]"),
        is_bound_at_creation=True,
    )


def _is_lacking(value: WriteOnly, payload: Mapping[str, Any]) -> bool:
    """Whether a profile has this value and its backup does not."""
    text = payload.get(value.name)
    if text:
        return value.is_placeholder or bool(_MASK.search(str(text)))
    if value.flag in payload:
        return bool(payload[value.flag])
    names, needed = _NEEDED_IF.get(value.name, ((), frozenset()))
    return any(payload.get(name) in needed for name in names)


def _lacking(payload: dict[str, Any]) -> list[str]:
    """Encrypted and write-only values, and the links of a profile that was backed up without them."""
    settings = payload.get("omaSettings")
    entries = settings if isinstance(settings, list) else []
    count = sum(1 for entry in entries if isinstance(entry, dict) and is_masked(entry))
    lacking = [f"{count} encrypted OMA-URI value{pluralize(count)}"] if count else []
    values = type_table.write_only(type_table.short_type(payload.get("@odata.type")))
    names = [each.name for each in values if _is_lacking(each, payload)]
    # A flag of a property that the table does not know counts too.
    flagged = [name.removesuffix("IsSet") for name, is_set in payload.items() if is_set is True]
    names += [each for each in flagged if f"{each}IsSet" in payload and not payload.get(each)]
    lacking += [f"the value of {name}" for name in dict.fromkeys(names)]
    unread = [link.name for link in _links(payload) if link.name not in payload]
    return [*lacking, *(f"the links in {name}" for name in unread)]


def _without_value_ids(content: dict[str, Any]) -> dict[str, Any]:
    """A profile whose encrypted settings lack the ids of their values, which Graph sets again."""
    settings = content.get("omaSettings")
    if not isinstance(settings, list):
        return content
    return {**content, "omaSettings": [_without_value_id(each) for each in settings]}


def _without_value_id(setting: Any) -> Any:
    if not isinstance(setting, dict) or not is_sealed(setting):
        return setting
    return {name: value for name, value in setting.items() if name != "secretReferenceValueId"}


#: Every property that links to another profile.
_LINKED = sorted(
    {
        link.name
        for name in type_table.types()
        for link in _links({"@odata.type": name})
        if link.kind and type_table.is_within(name, "deviceConfiguration")
    }
)


KIND = PolicyKind(
    key="device_configuration",
    label="Device configuration profile",
    label_plural="Device configuration profiles",
    list_path=_PATH,
    list_params={"$expand": "assignments"},
    detail_params={"$expand": "assignments"},
    needed=Need.WRITE,
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    lacking=_lacking,
    links=_links,
    references=tuple(Reference("device_configuration", f"{name}[]") for name in _LINKED),
    noise=Noise(
        strip=(
            "qualityUpdatesPauseStartDate",
            "featureUpdatesPauseStartDate",
            "qualityUpdatesWillBeRolledBack",
            "featureUpdatesWillBeRolledBack",
        ),
    ),
    restore=Restore.FULL,
    simplify=_without_value_ids,
    assign=Assign(),
    # The name of the argument follows Graph's convention and has not been tried against the live
    # service: a refusal is reported.
    actions=(
        Action(
            "privacyAccessControls", "windowsPrivacyAccessControls", "windowsPrivacyAccessControls"
        ),
    ),
    service=Service(hidden=("assignments",), needs_type=True),
    exported_as=("UpdatePolicies",),
)
