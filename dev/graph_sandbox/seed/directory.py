"""Seeds the organization, groups, roles, assignment filters and scope tags."""

from __future__ import annotations

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import vocabulary
from dev.graph_sandbox.seed.draw import Draw, cycle_names
from dev.graph_sandbox.seed.registry import seeds


def organization(tenant_id: str, name: str) -> Json:
    domain = "".join(char for char in name.lower() if char.isalnum()) or "tenant"
    return {
        "id": tenant_id,
        "displayName": name,
        "verifiedDomains": [
            {"name": f"{domain}.onmicrosoft.com", "isInitial": True, "isDefault": False},
            {"name": f"{domain}.example", "isInitial": False, "isDefault": True},
        ],
    }


@seeds("groups", count=1200)
def group(draw: Draw, number: int) -> Json:
    places, departments = vocabulary.PLACES, vocabulary.DEPARTMENTS
    place = places[number % len(places)]
    department = departments[number // len(places) % len(departments)]
    round_number = number // (len(places) * len(departments))
    purpose = vocabulary.PURPOSES[round_number % len(vocabulary.PURPOSES)]
    dynamic = draw.rng.random() < 0.3
    rule = f'(user.department -eq "{department}") and (user.city -eq "{place}")'
    return {
        "id": draw.new_id(),
        "displayName": f"{department} {place} - {purpose}",
        "description": f"{purpose} of {department}, {place}",
        "groupTypes": ["DynamicMembership"] if dynamic else [],
        "securityEnabled": True,
        "mailEnabled": False,
        "mailNickname": f"g{number:05d}",
        "membershipRule": rule if dynamic else None,
        "membershipRuleProcessingState": "On" if dynamic else None,
        "onPremisesSyncEnabled": True if draw.rng.random() < 0.2 else None,
        "isAssignableToRole": None,
        "createdDateTime": draw.times()["createdDateTime"],
    }


@seeds("role_definitions", count=24)
def role_definition(draw: Draw, number: int) -> Json:
    built_in = number < len(vocabulary.ROLES)
    if built_in:
        role_id, name = vocabulary.ROLES[number]
    else:
        role_id, name = draw.new_id(), f"Custom helpdesk role {number}"
    actions = [f"microsoft.directory/{part}/standard/read" for part in ("users", "groups")]
    return {
        "id": role_id,
        "displayName": name,
        "description": f"Can do what a {name} does.",
        "isBuiltIn": built_in,
        "isEnabled": True,
        "templateId": role_id,
        "version": "1",
        "resourceScopes": ["/"],
        "rolePermissions": [{"allowedResourceActions": actions, "condition": None}],
    }


@seeds("assignment_filters", count=4)
def assignment_filter(draw: Draw, number: int) -> Json:
    name, (platform, rule) = cycle_names(vocabulary.FILTERS, number)
    return {
        "id": draw.new_id(),
        "displayName": name,
        "description": "",
        "platform": platform,
        "rule": rule,
        "roleScopeTags": ["0"],
        **draw.times("lastModifiedDateTime"),
    }


@seeds("scope_tags", count=3)
def scope_tag(_draw: Draw, number: int) -> Json:
    name = "Default" if number == 0 else f"Region {vocabulary.PLACES[number]}"
    return {
        "id": str(number),
        "displayName": name,
        "description": "",
        "isBuiltIn": number == 0,
    }
