"""App registrations: their metadata, without credentials."""

from __future__ import annotations

from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore, Service

#: Without credentials: Graph returns the first characters of secrets.
_SELECT = {
    "$select": "id,appId,displayName,description,signInAudience,identifierUris,isFallbackPublicClient,"
    "requiredResourceAccess,appRoles,optionalClaims,groupMembershipClaims,api,web,spa,publicClient,"
    "notes,tags"
}

KIND = PolicyKind(
    key="app_registrations",
    label="App registration",
    label_plural="App registrations",
    list_path="/v1.0/applications",
    list_params=_SELECT,
    detail_params=_SELECT,
    read_permission="Application.Read.All",
    # The ids within are those of permissions and roles.
    noise=Noise(keeps_ids_within=True, unordered_ids=True),
    restore=Restore.PREVIEW_ONLY,
    service=Service(page=100, max_page=999, writes=()),
    samples=(
        {
            "appId": "8d8e2b1c-7a51-4a1f-9f5e-0c6c1f6f3a11",
            "displayName": "Expense reports",
            "description": None,
            "signInAudience": "AzureADMyOrg",
            "identifierUris": [],
            "isFallbackPublicClient": False,
            "requiredResourceAccess": [
                {
                    "resourceAppId": "00000003-0000-0000-c000-000000000000",
                    "resourceAccess": [
                        {"id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope"}
                    ],
                }
            ],
            "appRoles": [],
            "optionalClaims": None,
            "groupMembershipClaims": None,
            "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": []},
            "web": {"redirectUris": ["https://expenses.example/signin"], "logoutUrl": None},
            "spa": {"redirectUris": []},
            "publicClient": {"redirectUris": []},
            "notes": None,
            "tags": [],
        },
    ),
)
