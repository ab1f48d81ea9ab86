"""The methods with which users may sign in: one policy of a tenant."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="authentication_methods",
    label="Authentication methods policy",
    label_plural="Authentication methods policies",
    list_path="/v1.0/policies/authenticationMethodsPolicy",
    read_permission="Policy.Read.All",
    is_singleton=True,
    restore=Restore.PREVIEW_ONLY,
    service=Service(writes=()),
    samples=(
        {
            "id": "authenticationMethodsPolicy",
            "displayName": "Authentication Methods Policy",
            "description": "",
            "policyVersion": "1.5",
            "policyMigrationState": "migrationComplete",
            "registrationEnforcement": {
                "authenticationMethodsRegistrationCampaign": {
                    "state": "enabled",
                    "snoozeDurationInDays": 1,
                }
            },
            "authenticationMethodConfigurations": [
                {
                    "@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration",
                    "id": "Fido2",
                    "state": "enabled",
                    "isSelfServiceRegistrationAllowed": True,
                }
            ],
        },
    ),
)
