"""The apps of Intune: their settings and assignments, without their installation files."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="mobile_apps",
    label="App",
    label_plural="Apps",
    list_path="/beta/deviceAppManagement/mobileApps",
    detail_params={"$expand": "assignments"},
    read_permission="DeviceManagementApps.Read.All",
    read=with_detail,
    noise=Noise(
        strip=(
            "uploadState",
            "publishingState",
            "size",
            "dependentAppCount",
            "supersedingAppCount",
            "supersededAppCount",
        )
    ),
    restore=Restore.PREVIEW_ONLY,
    is_checked_by_graph=True,
    service=Service(hidden=("assignments",), writes=()),
    exported_as=("Applications",),
    samples=(
        {
            "@odata.type": "#microsoft.graph.win32LobApp",
            "displayName": "7-Zip",
            "description": "Archives",
            "publisher": "Igor Pavlov",
            "fileName": "7z.intunewin",
            "size": 1892352,
            "installCommandLine": "7z.exe /S",
            "uninstallCommandLine": "uninstall.exe /S",
            "committedContentVersion": "1",
            "isAssigned": False,
            "publishingState": "published",
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
