"""Administrative templates: group policies of Windows, with the values of their definitions."""

from __future__ import annotations

from providers.graph.capture import with_parts
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="administrative_templates",
    label="Administrative template",
    label_plural="Administrative templates",
    list_path="/beta/deviceManagement/groupPolicyConfigurations",
    detail_params={"$expand": "assignments"},
    read_permission="DeviceManagementConfiguration.Read.All",
    read=with_parts,
    parts={
        "definitionValues": {
            "$expand": "definition($select=id,classType,displayName,categoryPath),"
            "presentationValues($expand=presentation($select=id,label))"
        }
    },
    restore=Restore.PREVIEW_ONLY,
    service=Service(hidden=("assignments", "definitionValues"), writes=()),
    samples=(
        {
            "displayName": "OneDrive",
            "description": "",
            "policyConfigurationIngestionType": "builtIn",
            "roleScopeTagIds": ["0"],
            "definitionValues": [
                {
                    "id": "4a4f8b1c-6c5e-4a54-8b43-5d6f2a3b1c01",
                    "enabled": True,
                    "configurationType": "policy",
                    "definition": {
                        "id": "61b07a01-7e60-4127-b086-f6b32458a5c5",
                        "classType": "machine",
                        "displayName": "Silently sign in users to the OneDrive sync app",
                        "categoryPath": "\\OneDrive",
                    },
                    "presentationValues": [],
                }
            ],
            "assignments": [],
        },
    ),
)
