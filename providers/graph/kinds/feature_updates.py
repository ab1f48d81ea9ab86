"""Feature update profiles: the version of Windows that devices are to have."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="feature_updates",
    label="Feature update profile",
    label_plural="Feature update profiles",
    list_path="/beta/deviceManagement/windowsFeatureUpdateProfiles",
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("deployableContentDisplayName", "endOfSupportDate")),
    restore=Restore.FULL,
    assign=Assign(),
    service=Service(
        hidden=("assignments",), read_only=("deployableContentDisplayName", "endOfSupportDate")
    ),
    samples=(
        {
            "displayName": "Windows 11, version 24H2",
            "description": "",
            "featureUpdateVersion": "Windows 11, version 24H2",
            "deployableContentDisplayName": "Windows 11, version 24H2",
            "endOfSupportDate": "2027-10-12T00:00:00Z",
            "installLatestWindows10OnWindows11IneligibleDevice": False,
            "installFeatureUpdatesOptional": False,
            "rolloutSettings": {
                "offerStartDateTimeInUTC": None,
                "offerEndDateTimeInUTC": None,
                "offerIntervalInDays": None,
            },
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
