"""Puts the properties that Microsoft365DSC flattens back where Graph has them.

Source: the schemas of its resources AADConditionalAccessPolicy and AADNamedLocationPolicy and the
class of assignments that its Intune resources share (read in November 2026). Exports have names in
place of some ids, such as those of users and groups; these stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dev.graph_sandbox.messages import Json

_GRAPH = "#microsoft.graph."
#: By kind: where Graph has the properties of a resource, by their names with a small first letter.
_PLACES: dict[str, dict[str, str]] = {
    "conditional_access": {
        **{
            name: f"conditions.applications.{name}"
            for name in ("includeApplications", "excludeApplications", "includeUserActions")
        },
        **{
            f"{scope}{what}": f"conditions.users.{scope}{what}"
            for scope in ("include", "exclude")
            for what in ("Users", "Groups", "Roles")
        },
        **{
            f"{scope}{what}": f"conditions.{what.lower()}.{scope}{what}"
            for scope in ("include", "exclude")
            for what in ("Platforms", "Locations", "Devices")
        },
        **{
            f"{scope}ServicePrincipals": f"conditions.clientApplications.{scope}ServicePrincipals"
            for scope in ("include", "exclude")
        },
        **{
            name: f"conditions.{name}"
            for name in (
                "userRiskLevels",
                "signInRiskLevels",
                "clientAppTypes",
                "servicePrincipalRiskLevels",
                "insiderRiskLevels",
            )
        },
        "authenticationContexts": (
            "conditions.applications.includeAuthenticationContextClassReferences"
        ),
        "deviceFilterMode": "conditions.devices.deviceFilter.mode",
        "deviceFilterRule": "conditions.devices.deviceFilter.rule",
        "transferMethods": "conditions.authenticationFlows.transferMethods",
        "grantControlOperator": "grantControls.operator",
        "builtInControls": "grantControls.builtInControls",
        "customAuthenticationFactors": "grantControls.customAuthenticationFactors",
        "termsOfUse": "grantControls.termsOfUse",
        "authenticationStrength": "grantControls.authenticationStrength",
        "applicationEnforcedRestrictionsIsEnabled": (
            "sessionControls.applicationEnforcedRestrictions.isEnabled"
        ),
        "cloudAppSecurityIsEnabled": "sessionControls.cloudAppSecurity.isEnabled",
        "cloudAppSecurityType": "sessionControls.cloudAppSecurity.cloudAppSecurityType",
        "signInFrequencyValue": "sessionControls.signInFrequency.value",
        "signInFrequencyType": "sessionControls.signInFrequency.type",
        "signInFrequencyInterval": "sessionControls.signInFrequency.frequencyInterval",
        "signInFrequencyIsEnabled": "sessionControls.signInFrequency.isEnabled",
        "persistentBrowserMode": "sessionControls.persistentBrowser.mode",
        "persistentBrowserIsEnabled": "sessionControls.persistentBrowser.isEnabled",
        "disableResilienceDefaultsIsEnabled": "sessionControls.disableResilienceDefaults",
        "secureSignInSessionIsEnabled": "sessionControls.secureSignInSession.isEnabled",
    },
    "named_location": {"odataType": "@odata.type"},
}


#: The beginnings of the names of resources, without the service, and their kinds. The first one counts.
_RESOURCES = {
    "NamedLocation": "named_location",
    "ConditionalAccessPolicy": "conditional_access",
    "AuthenticationStrength": "authentication_strengths",
    "AuthenticationContext": "authentication_contexts",
    "AuthenticationMethodPolicy": "authentication_methods",
    "AuthorizationPolicy": "authorization_policy",
    "CrossTenantAccessPolicyConfigurationDefault": "cross_tenant_access",
    "SecurityDefaults": "security_defaults",
    "AdministrativeUnit": "administrative_units",
    "Application": "app_registrations",
    "Group": "groups",
    "SettingCatalog": "settings_catalog",
    "DeviceConfigurationAdministrativeTemplatePolicy": "administrative_templates",
    "DeviceConfiguration": "device_configuration",
    "WifiConfigurationPolicy": "device_configuration",
    "VPNConfigurationPolicy": "device_configuration",
    "TrustedRootCertificate": "device_configuration",
    "WindowsUpdateForBusinessRing": "device_configuration",
    "DeviceCompliancePolicy": "compliance",
    "AppProtectionPolicy": "app_protection",
    "AppConfigurationPolicy": "app_configuration",
    "AppConfigurationDevicePolicy": "device_app_configuration",
    "DeviceAndAppManagementAssignmentFilter": "assignment_filters",
    "DeviceCategory": "device_categories",
    "DeviceEnrollment": "enrollment_configuration",
    "WindowsAutopilotDeploymentProfile": "autopilot_profiles",
    "WindowsUpdateForBusinessFeatureUpdateProfile": "feature_updates",
    "WindowsUpdateForBusinessQualityUpdateProfile": "quality_updates",
    "WindowsUpdateForBusinessDriverUpdateProfile": "driver_updates",
    "DeviceRemediation": "remediations",
    "PolicySets": "policy_sets",
    "RoleScopeTag": "scope_tags",
}


def kind_of(resource_name: str) -> str:
    """Return the kind of a resource by its name; empty for another one."""
    name = resource_name.removeprefix("AAD").removeprefix("Intune")
    if name == resource_name:
        return ""
    if name == "RoleDefinition":
        return "intune_roles" if resource_name.startswith("Intune") else "role_definitions"
    return next((kind for start, kind in _RESOURCES.items() if name.startswith(start)), "")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) and value else value or []


def _as_ranges(value: Any) -> Any:
    """Addresses as Graph has them: it gives each its type."""
    return [
        {
            "@odata.type": f"{_GRAPH}{'iPv6CidrRange' if ':' in each else 'iPv4CidrRange'}",
            "cidrAddress": each,
        }
        for each in value or []
        if isinstance(each, str)
    ]


def _as_assignments(value: Any) -> Any:
    """Assignments with their targets, which have the name of their type elsewhere."""
    targets = [dict(each) for each in value or [] if isinstance(each, dict)]
    for target in targets:
        target["@odata.type"] = target.pop("dataType", "")
        target.pop("groupDisplayName", None)
        target.pop("deviceAndAppManagementAssignmentFilterDisplayName", None)
    return [{"id": str(number), "target": target} for number, target in enumerate(targets)]


def _as_reference(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) and value else None


#: Values that Graph has in another form, by the name of the property.
_FORMS: dict[str, Callable[[Any], Any]] = {
    "assignments": _as_assignments,
    "authenticationStrength": _as_reference,
    "ipRanges": _as_ranges,
    "persistentBrowserMode": lambda value: str(value or "").lower() or None,
    "signInFrequencyType": lambda value: str(value or "").lower() or None,
    "termsOfUse": _as_list,
}


def unflatten(kind: str, resource: Json) -> tuple[Json, int]:
    """Return an object of Graph, and how many properties were put elsewhere or have another form."""
    entry: Json = {}
    count = 0
    places = _PLACES.get(kind, {})
    for name, value in resource.items():
        # Some of these names are properties of Graph itself in other kinds.
        has_form = name in _FORMS and (name in places or name in ("assignments", "ipRanges"))
        count += bool(has_form or name in places)
        _put(entry, places.get(name, name), _FORMS[name](value) if has_form else value)
    return entry, count


def _put(entry: Json, place: str, value: Any) -> None:
    *containers, name = [place] if place.startswith("@") else place.split(".")
    for container in containers:
        entry = entry.setdefault(container, {})
    entry[name] = value
