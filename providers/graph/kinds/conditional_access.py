"""Conditional access policies."""

from __future__ import annotations

from typing import Any

from providers.graph.normalize import Noise, without_nulls
from providers.graph.policy_kind import Need, PolicyKind, Restore, Service
from providers.graph.references import Reference

#: The conditions that name service principals and agents by their object ids.
_WORKLOAD_IDENTITIES = (
    "includeServicePrincipals",
    "excludeServicePrincipals",
    "includeAgentIdServicePrincipals",
    "excludeAgentIdServicePrincipals",
)
_NO_OBJECT = frozenset({"All", "None"})
#: Locations that every tenant has and no list contains. The zero id is “MFA trusted IPs”.
_BUILT_IN_LOCATIONS = _NO_OBJECT | {"AllTrusted"}
#: The strengths of Microsoft: multifactor, passwordless and phishing-resistant.
_BUILT_IN_STRENGTHS = frozenset(f"00000000-0000-0000-0000-00000000000{n}" for n in (2, 3, 4))


def _without_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """A policy without values that Graph returns but does not accept.

    Resilience defaults that are not disabled equal unset ones. Conditions on device states are
    deprecated; empty ones have no effect.
    """
    controls = without_nulls(content.get("sessionControls") or {})
    if controls.get("disableResilienceDefaults") is False:
        del controls["disableResilienceDefaults"]
    conditions = dict(content.get("conditions") or {})
    if not any((conditions.get("deviceStates") or {}).values()):
        conditions.pop("deviceStates", None)
    return {**content, "sessionControls": controls or None, "conditions": conditions or None}


KIND = PolicyKind(
    key="conditional_access",
    label="Conditional access policy",
    label_plural="Conditional access policies",
    # The list of v1.0 omits policies with preview features.
    list_path="/beta/identity/conditionalAccess/policies",
    checked_with="/v1.0/identity/conditionalAccess/policies",
    needed=Need.WRITE,
    read_permission="Policy.Read.All",
    write_permission="Policy.ReadWrite.ConditionalAccess",
    more_permissions={"Application.Read.All": "the applications that conditional access names"},
    noise=Noise(strip=("templateId",), unordered_ids=True),
    restore=Restore.FULL,
    references=(
        Reference("users", "conditions.users.includeUsers[]", has_names=True),
        Reference("users", "conditions.users.excludeUsers[]", has_names=True),
        Reference("role_definitions", "conditions.users.includeRoles[]", has_names=True),
        Reference("role_definitions", "conditions.users.excludeRoles[]", has_names=True),
        Reference("applications", "conditions.applications.includeApplications[]", has_names=True),
        Reference("applications", "conditions.applications.excludeApplications[]", has_names=True),
        *(
            Reference(
                "directory_objects", f"conditions.clientApplications.{name}[]", has_names=True
            )
            for name in _WORKLOAD_IDENTITIES
        ),
        Reference("groups", "conditions.users.includeGroups[]", built_in=_NO_OBJECT),
        Reference("groups", "conditions.users.excludeGroups[]", built_in=_NO_OBJECT),
        Reference(
            "named_location",
            "conditions.locations.includeLocations[]",
            built_in=_BUILT_IN_LOCATIONS,
        ),
        Reference(
            "named_location",
            "conditions.locations.excludeLocations[]",
            built_in=_BUILT_IN_LOCATIONS,
        ),
        Reference(
            "authentication_strengths",
            "grantControls.authenticationStrength.id",
            built_in=_BUILT_IN_STRENGTHS,
        ),
        Reference("terms_of_use", "grantControls.termsOfUse[]"),
        Reference(
            "authentication_contexts",
            "conditions.applications.includeAuthenticationContextClassReferences[]",
        ),
    ),
    simplify=_without_defaults,
    service=Service(page=100, max_page=999, patch_status=204, is_paced=True),
)
