"""App protection policies, of several types with a collection each."""

from __future__ import annotations

from typing import Any

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Action, Assign, Need, PolicyKind, Restore, Service

_APPS = "/beta/deviceAppManagement"
_WINDOWS_INFORMATION = "#microsoft.graph.mdmWindowsInformationProtectionPolicy"


def _refuses(payload: dict[str, Any]) -> str:
    """Microsoft has ended Windows Information Protection; its file lists are not backed up."""
    is_ended = payload.get("@odata.type") == _WINDOWS_INFORMATION
    return "policies of Windows Information Protection" if is_ended else ""


KIND = PolicyKind(
    key="app_protection",
    label="App protection policy",
    label_plural="App protection policies",
    list_path=f"{_APPS}/managedAppPolicies",
    detail_params={"$expand": "apps,assignments"},
    needed=Need.WRITE,
    read_permission="DeviceManagementApps.Read.All",
    write_permission="DeviceManagementApps.ReadWrite.All",
    read=with_detail,
    collections={
        "#microsoft.graph.iosManagedAppProtection": f"{_APPS}/iosManagedAppProtections",
        "#microsoft.graph.androidManagedAppProtection": f"{_APPS}/androidManagedAppProtections",
        "#microsoft.graph.windowsManagedAppProtection": f"{_APPS}/windowsManagedAppProtections",
        _WINDOWS_INFORMATION: f"{_APPS}/mdmWindowsInformationProtectionPolicies",
    },
    other_kinds=("#microsoft.graph.targetedManagedAppConfiguration",),
    noise=Noise(strip=("deployedAppCount",), strip_within=("version",)),
    restore=Restore.FULL,
    refuses=_refuses,
    assign=Assign(),
    actions=(Action("apps", "targetApps", "apps", more=("appGroupType",)),),
    service=Service(
        hidden=("assignments", "apps"), assign_status=204, read_only=("deployedAppCount",)
    ),
)
