"""Scripts that report values to custom compliance policies."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="compliance_scripts",
    label="Compliance script",
    label_plural="Compliance scripts",
    list_path="/beta/deviceManagement/deviceComplianceScripts",
    read_permission="DeviceManagementScripts.Read.All",
    write_permission="DeviceManagementScripts.ReadWrite.All",
    read=with_detail,
    required=("detectionScriptContent",),
    restore=Restore.FULL,
    is_checked_by_graph=True,
    service=Service(only_in_detail=("detectionScriptContent",)),
    exported_as=("Custom Compliance Scripts",),
    samples=(
        {
            "displayName": "Windows - Report the secure boot state",
            "description": "",
            "publisher": "Contoso",
            "version": "1",
            "detectionScriptContent": "V3JpdGUtT3V0cHV0ICdvaycKZXhpdCAwCg==",
            "runAsAccount": "system",
            "enforceSignatureCheck": False,
            "runAs32Bit": False,
            "roleScopeTagIds": ["0"],
        },
    ),
)
