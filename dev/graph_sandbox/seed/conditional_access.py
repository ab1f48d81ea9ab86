"""Seeds named locations and conditional access policies."""

from __future__ import annotations

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import vocabulary
from dev.graph_sandbox.seed.draw import Draw, cycle_names
from dev.graph_sandbox.seed.registry import seeds

_PHISHING_RESISTANT = "00000000-0000-0000-0000-000000000004"


@seeds("named_location", count=5)
def named_location(draw: Draw, number: int) -> Json:
    name, (network,) = cycle_names(vocabulary.LOCATIONS, number)
    common = {"id": draw.new_id(), "displayName": name, **draw.times("modifiedDateTime")}
    if not network:
        countries = draw.rng.sample(vocabulary.COUNTRIES, 5)
        return {
            "@odata.type": "#microsoft.graph.countryNamedLocation",
            **common,
            "countriesAndRegions": sorted(countries),
            "includeUnknownCountriesAndRegions": False,
            "countryLookupMethod": "clientIpAddress",
        }
    ranges = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": network}]
    return {
        "@odata.type": "#microsoft.graph.ipNamedLocation",
        **common,
        "isTrusted": number < 2,
        "ipRanges": ranges,
    }


@seeds("conditional_access", count=14)
def conditional_access_policy(draw: Draw, number: int) -> Json:
    name, (control, application) = cycle_names(vocabulary.CONDITIONAL_ACCESS, number)
    admins = "Admins" in name
    return {
        "id": draw.new_id(),
        "templateId": None,
        "displayName": name,
        **draw.times("modifiedDateTime"),
        "state": draw.rng.choice(
            ("enabled", "enabled", "enabled", "enabledForReportingButNotEnforced", "disabled")
        ),
        "conditions": {
            "userRiskLevels": [],
            "signInRiskLevels": ["high"] if "High risk" in name else [],
            "clientAppTypes": ["exchangeActiveSync", "other"] if "legacy" in name else ["all"],
            "platforms": None,
            "locations": _locations_condition(draw, control),
            "devices": None,
            "applications": {
                "includeApplications": [application],
                "excludeApplications": [],
                "includeUserActions": [],
            },
            "users": {
                "includeUsers": [] if admins else ["All"],
                "excludeUsers": [],
                "includeGroups": [],
                "excludeGroups": sorted({draw.group_id(), draw.group_id()}),
                "includeRoles": [role for role, _ in vocabulary.ROLES[:6]] if admins else [],
                "excludeRoles": [],
            },
        },
        "grantControls": _grant_controls(control),
        "sessionControls": _session_controls(control),
    }


def _locations_condition(draw: Draw, control: str) -> Json | None:
    location_id = draw.location_id() if control == "location" else None
    if location_id is None:
        return None
    return {"includeLocations": ["All"], "excludeLocations": [location_id]}


def _grant_controls(control: str) -> Json | None:
    if control == "session":
        return None
    built_in = {
        "mfa": ["mfa"],
        "register": ["mfa"],
        "block": ["block"],
        "location": ["block"],
        "device": ["compliantDevice", "compliantApplication"],
        "strength": [],
    }
    strength = {
        "id": _PHISHING_RESISTANT,
        "displayName": "Phishing-resistant MFA",
        "policyType": "builtIn",
    }
    return {
        "operator": "OR",
        "builtInControls": built_in[control],
        "customAuthenticationFactors": [],
        "termsOfUse": [],
        "authenticationStrength": strength if control == "strength" else None,
    }


def _session_controls(control: str) -> Json | None:
    if control != "session":
        return None
    return {
        "disableResilienceDefaults": None,
        "applicationEnforcedRestrictions": None,
        "cloudAppSecurity": None,
        "persistentBrowser": None,
        "signInFrequency": {
            "value": 4,
            "type": "hours",
            "authenticationType": "primaryAndSecondaryAuthentication",
            "frequencyInterval": "timeBased",
            "isEnabled": True,
        },
    }
