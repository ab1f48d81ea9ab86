"""Authentication strengths, which conditional access policies require."""

from __future__ import annotations

from typing import Any

from providers.graph.normalize import Noise
from providers.graph.policy_kind import Action, PolicyKind, Restore, Service


def _combinations(payload: dict[str, Any]) -> list[str]:
    has_rules = bool(payload.get("combinationConfigurations"))
    return ["the rules of single combinations"] if has_rules else []


KIND = PolicyKind(
    key="authentication_strengths",
    label="Authentication strength",
    label_plural="Authentication strengths",
    list_path="/v1.0/policies/authenticationStrengthPolicies",
    list_params={"$expand": "combinationConfigurations"},
    detail_params={"$expand": "combinationConfigurations"},
    read_permission="Policy.Read.All",
    write_permission="Policy.ReadWrite.AuthenticationMethod",
    noise=Noise(
        strip=("policyType", "requirementsSatisfied", "combinationConfigurations"),
        unordered_ids=True,
    ),
    restore=Restore.FULL,
    managed_if={"policyType": "builtIn"},
    lacking=_combinations,
    actions=(
        Action(
            "allowedCombinations",
            "updateAllowedCombinations",
            "allowedCombinations",
            is_in_creation=True,
        ),
    ),
    service=Service(
        hidden=("combinationConfigurations",),
        read_only=("policyType", "requirementsSatisfied"),
        patch_status=204,
    ),
    samples=(
        {
            "displayName": "Security keys only",
            "description": "",
            "policyType": "custom",
            "requirementsSatisfied": "mfa",
            "allowedCombinations": ["fido2", "windowsHelloForBusiness"],
            "combinationConfigurations": [],
        },
    ),
)
