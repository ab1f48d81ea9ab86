"""Device configuration profiles, of many types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.graph.capture import with_detail
from providers.graph.configuration_links import LINKS
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Action, Assign, Link, Need, PolicyKind, Restore, Service
from providers.graph.references import Reference

_PATH = "/beta/deviceManagement/deviceConfigurations"
_CREDENTIALS = "/beta/deviceManagement/derivedCredentials"
#: Values that Graph accepts and never returns: the property, and the flag that it is set.
_WRITE_ONLY = {"preSharedKey": "preSharedKeyIsSet", "sharedSecret": "sharedSecretIsSet"}
#: The security of Wi-Fi profiles whose key is shared.
_SHARED_KEY = frozenset({"wep", "wpaPersonal", "wpa2Personal", "wpa3Personal"})


def _type_of(payload: Mapping[str, Any]) -> str:
    return str(payload.get("@odata.type") or "").removeprefix("#microsoft.graph.")


def _links(payload: Mapping[str, Any]) -> tuple[Link, ...]:
    """The links of a profile of this type, most of them to certificates."""
    odata_type = _type_of(payload)
    return tuple(_link(odata_type, name) for name in LINKS.get(odata_type, ()))


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


def _lacking(payload: dict[str, Any]) -> list[str]:
    """Encrypted and write-only values, and the links of a profile that was backed up without them."""
    settings = payload.get("omaSettings")
    entries = settings if isinstance(settings, list) else []
    count = sum(1 for entry in entries if isinstance(entry, dict) and entry.get("isEncrypted"))
    lacking = [f"{count} encrypted OMA-URI values"] if count else []
    for name, flag in _WRITE_ONLY.items():
        if payload.get(flag) and not payload.get(name):
            lacking.append(f"the value of {name}")
    uses_key = {payload.get("wifiSecurityType"), payload.get("wiFiSecurityType")} & _SHARED_KEY
    if uses_key and not payload.get("preSharedKey") and not payload.get("preSharedKeyIsSet"):
        lacking.append("the value of preSharedKey")
    unread = [link.name for link in _links(payload) if link.name not in payload]
    return [*lacking, *(f"the links in {name}" for name in unread)]


#: Every property that links to another profile.
_LINKED = sorted(
    {
        name.removesuffix("[]")
        for names in LINKS.values()
        for name in names
        if name != "derivedCredentialSettings"
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
