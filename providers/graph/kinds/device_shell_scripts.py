"""Shell scripts that Intune runs on macOS and Linux devices."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="device_shell_scripts",
    label="Shell script",
    label_plural="Shell scripts",
    list_path="/beta/deviceManagement/deviceShellScripts",
    read_permission="DeviceManagementScripts.Read.All",
    write_permission="DeviceManagementScripts.ReadWrite.All",
    read=with_detail,
    required=("scriptContent",),
    restore=Restore.FULL,
    assign=Assign("deviceManagementScriptAssignments"),
    service=Service(hidden=("assignments",), only_in_detail=("scriptContent",)),
    exported_as=("MacScripts", "Shell"),
    samples=(
        {
            "displayName": "macOS - Set the time server",
            "description": "",
            "executionFrequency": "PT0S",
            "retryCount": 3,
            "blockExecutionNotifications": True,
            "scriptContent": "IyEvYmluL3pzaAplY2hvIG9rCg==",
            "runAsAccount": "system",
            "fileName": "set-time-server.zsh",
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
