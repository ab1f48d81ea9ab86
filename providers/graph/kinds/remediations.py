"""Remediations: pairs of scripts that detect and repair a problem on Windows devices."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="remediations",
    label="Remediation",
    label_plural="Remediations",
    list_path="/beta/deviceManagement/deviceHealthScripts",
    read_permission="DeviceManagementScripts.Read.All",
    write_permission="DeviceManagementScripts.ReadWrite.All",
    read=with_detail,
    required=("detectionScriptContent",),
    noise=Noise(strip=("isGlobalScript", "highestAvailableVersion")),
    restore=Restore.FULL,
    managed_if={"isGlobalScript": True},
    assign=Assign(
        "deviceHealthScriptAssignments", ("target", "runRemediationScript", "runSchedule")
    ),
    service=Service(
        hidden=("assignments",),
        only_in_detail=("detectionScriptContent", "remediationScriptContent"),
        read_only=("isGlobalScript", "highestAvailableVersion"),
    ),
    exported_as=("HealthScripts", "Proactive Remediations"),
    samples=(
        {
            "displayName": "Windows - Restart a stopped print spooler",
            "description": "",
            "publisher": "Contoso",
            "version": "1",
            "detectionScriptContent": "V3JpdGUtT3V0cHV0ICdvaycKZXhpdCAwCg==",
            "remediationScriptContent": "V3JpdGUtT3V0cHV0ICdvaycKZXhpdCAwCg==",
            "runAsAccount": "system",
            "enforceSignatureCheck": False,
            "runAs32Bit": False,
            "roleScopeTagIds": ["0"],
            "isGlobalScript": False,
            "highestAvailableVersion": "",
            "deviceHealthScriptType": "deviceHealthScript",
            "detectionScriptParameters": [],
            "remediationScriptParameters": [],
            "assignments": [
                {
                    "id": "1",
                    "target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"},
                    "runRemediationScript": True,
                    "runSchedule": {
                        "@odata.type": "#microsoft.graph.deviceHealthScriptDailySchedule",
                        "interval": 1,
                        "useUtc": False,
                        "time": "11:30:00.0000000",
                    },
                }
            ],
        },
    ),
)
