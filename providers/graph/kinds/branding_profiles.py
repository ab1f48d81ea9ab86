"""The branding of the Company Portal."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="branding_profiles",
    label="Branding profile",
    label_plural="Branding profiles",
    list_path="/beta/deviceManagement/intuneBrandingProfiles",
    detail_params={"$expand": "assignments"},
    name_field="profileName",
    read_permission="DeviceManagementApps.Read.All",
    read=with_detail,
    restore=Restore.PREVIEW_ONLY,
    service=Service(hidden=("assignments",), writes=()),
    exported_as=("IntuneBranding",),
    samples=(
        {
            "profileName": "Default",
            "profileDescription": "",
            "isDefaultProfile": True,
            "displayName": "Contoso",
            "contactITName": "Service desk",
            "contactITEmailAddress": "help@contoso.example",
            "themeColor": {"r": 0, "g": 114, "b": 198},
            "showLogo": True,
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
