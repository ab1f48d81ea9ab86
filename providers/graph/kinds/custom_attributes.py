"""Custom attributes: shell scripts that report a value of each macOS device."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="custom_attributes",
    label="Custom attribute",
    label_plural="Custom attributes",
    list_path="/beta/deviceManagement/deviceCustomAttributeShellScripts",
    read_permission="DeviceManagementScripts.Read.All",
    write_permission="DeviceManagementScripts.ReadWrite.All",
    read=with_detail,
    required=("scriptContent",),
    restore=Restore.FULL,
    assign=Assign("deviceManagementScriptAssignments"),
    service=Service(hidden=("assignments",), only_in_detail=("scriptContent",)),
    exported_as=("MacCustomAttributes",),
    samples=(
        {
            "customAttributeName": "Battery cycles",
            "customAttributeType": "integer",
            "displayName": "macOS - Battery cycles",
            "description": "",
            "scriptContent": "IyEvYmluL3pzaAplY2hvIG9rCg==",
            "runAsAccount": "system",
            "fileName": "battery-cycles.zsh",
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
