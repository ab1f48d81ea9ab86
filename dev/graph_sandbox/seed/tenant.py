"""Seeds a realistic tenant that is the same each time for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import (
    app_protection,
    compliance,
    conditional_access,
    device_configuration,
    directory,
    settings_catalog,
)
from dev.graph_sandbox.seed.draw import Draw

DEFAULT_SIZES = {
    "settings_catalog": 34,
    "device_configuration": 15,
    "compliance": 7,
    "linux_compliance": 1,
    "conditional_access": 14,
    "named_location": 5,
    "app_protection": 4,
    "groups": 1200,
    "role_definitions": 24,
    "assignment_filters": 4,
    "scope_tags": 3,
}

#: How each kind is built. Kinds that others refer to come first.
_BUILDERS: dict[str, Callable[[Draw, int], Json]] = {
    "groups": directory.group,
    "assignment_filters": directory.assignment_filter,
    "scope_tags": directory.scope_tag,
    "role_definitions": directory.role_definition,
    "named_location": conditional_access.named_location,
    "conditional_access": conditional_access.conditional_access_policy,
    "settings_catalog": settings_catalog.settings_policy,
    "device_configuration": device_configuration.device_configuration,
    "compliance": compliance.compliance_policy,
    "linux_compliance": compliance.linux_compliance_policy,
    "app_protection": app_protection.app_protection_policy,
}


def seed_tenant(
    tenant_id: str, name: str, seed: str, sizes: Mapping[str, int]
) -> dict[str, list[Json]]:
    """Return the objects of a tenant by kind; `sizes` overrides the number of some kinds.

    Raises:
        KeyError: `sizes` names an unknown kind.
    """
    unknown = set(sizes) - set(DEFAULT_SIZES)
    if unknown:
        raise KeyError(f"no kind {', '.join(sorted(unknown))}")
    counts = {**DEFAULT_SIZES, **sizes}
    objects = {"organization": [directory.organization(tenant_id, name)]}
    for kind, build in _BUILDERS.items():
        # One random generator per kind: the number of one kind does not change another.
        draw = Draw(f"{seed}/{kind}", name, objects)
        objects[kind] = [build(draw, number) for number in range(counts[kind])]
    return objects
