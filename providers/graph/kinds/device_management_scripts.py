"""PowerShell scripts that Intune runs on Windows devices."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="device_management_scripts",
    label="PowerShell script",
    label_plural="PowerShell scripts",
    list_path="/beta/deviceManagement/deviceManagementScripts",
    read_permission="DeviceManagementScripts.Read.All",
    write_permission="DeviceManagementScripts.ReadWrite.All",
    read=with_detail,
    required=("scriptContent",),
    restore=Restore.FULL,
    assign=Assign("deviceManagementScriptAssignments"),
    service=Service(hidden=("assignments",), only_in_detail=("scriptContent",)),
    exported_as=("Powershell",),
    samples=(
        {
            "displayName": "Windows - Remove built-in apps",
            "description": "Removes apps that are not used at work.",
            "scriptContent": "V3JpdGUtT3V0cHV0ICdvaycKZXhpdCAwCg==",
            "runAsAccount": "system",
            "enforceSignatureCheck": False,
            "fileName": "Remove-BuiltInApps.ps1",
            "roleScopeTagIds": ["0"],
            "runAs32Bit": False,
            "assignments": [
                {
                    "id": "1",
                    "target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"},
                }
            ],
        },
    ),
)
