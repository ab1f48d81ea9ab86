"""Which parts of Graph there are here, and how each of them behaves."""

from __future__ import annotations

from dataclasses import dataclass

_CONFIGURATION = "DeviceManagementConfiguration"
_APPS = "DeviceManagementApps"
APP_TYPES = {
    "iosManagedAppProtections": "#microsoft.graph.iosManagedAppProtection",
    "androidManagedAppProtections": "#microsoft.graph.androidManagedAppProtection",
    "windowsManagedAppProtections": "#microsoft.graph.windowsManagedAppProtection",
    "mdmWindowsInformationProtectionPolicies": (
        "#microsoft.graph.mdmWindowsInformationProtectionPolicy"
    ),
    "targetedManagedAppConfigurations": "#microsoft.graph.targetedManagedAppConfiguration",
}


@dataclass(frozen=True)
class Resource:
    """One collection.

    `hidden`: parts that are returned only when expanded; `type_only`: just the objects of this
    type; `writable`: the methods that change something.
    """

    kind: str
    version: str
    path: str
    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    name_field: str = "displayName"
    hidden: tuple[str, ...] = ()
    page: int = 1000
    max_page: int = 1000
    writable: tuple[str, ...] = ()
    needs_type: bool = False
    type_only: str = ""
    assign_status: int = 200
    patch_status: int = 200
    paced: bool = False


def _reads(area: str) -> tuple[str, ...]:
    return f"{area}.Read.All", f"{area}.ReadWrite.All"


def _writes(area: str) -> tuple[str, ...]:
    return (f"{area}.ReadWrite.All",)


_ALL = ("POST", "PATCH", "DELETE")

RESOURCES = (
    Resource(
        "settings_catalog",
        "beta",
        "/deviceManagement/configurationPolicies",
        _reads(_CONFIGURATION),
        _writes(_CONFIGURATION),
        name_field="name",
        hidden=("assignments", "settings"),
        page=25,
        writable=(*_ALL, "PUT"),
        patch_status=204,
    ),
    Resource(
        "device_configuration",
        "beta",
        "/deviceManagement/deviceConfigurations",
        _reads(_CONFIGURATION),
        _writes(_CONFIGURATION),
        hidden=("assignments",),
        writable=_ALL,
        needs_type=True,
    ),
    Resource(
        "compliance",
        "beta",
        "/deviceManagement/deviceCompliancePolicies",
        _reads(_CONFIGURATION),
        _writes(_CONFIGURATION),
        hidden=("assignments", "scheduledActionsForRule"),
        writable=_ALL,
        needs_type=True,
    ),
    Resource(
        "linux_compliance",
        "beta",
        "/deviceManagement/compliancePolicies",
        _reads(_CONFIGURATION),
        _writes(_CONFIGURATION),
        name_field="name",
        hidden=("assignments", "settings", "scheduledActionsForRule"),
        page=25,
        writable=(*_ALL, "PUT"),
        patch_status=204,
    ),
    Resource(
        "assignment_filters",
        "beta",
        "/deviceManagement/assignmentFilters",
        _reads(_CONFIGURATION),
    ),
    Resource(
        "scope_tags", "beta", "/deviceManagement/roleScopeTags", _reads("DeviceManagementRBAC")
    ),
    Resource(
        "app_protection",
        "beta",
        "/deviceAppManagement/managedAppPolicies",
        _reads(_APPS),
        hidden=("assignments", "apps"),
    ),
    *(
        Resource(
            "app_protection",
            "beta",
            f"/deviceAppManagement/{collection}",
            _reads(_APPS),
            _writes(_APPS),
            hidden=("assignments", "apps"),
            writable=_ALL,
            type_only=odata_type,
            assign_status=204,
        )
        for collection, odata_type in APP_TYPES.items()
    ),
    Resource(
        "conditional_access",
        "v1.0",
        "/identity/conditionalAccess/policies",
        ("Policy.Read.All",),
        ("Policy.ReadWrite.ConditionalAccess",),
        page=100,
        max_page=999,
        writable=_ALL,
        patch_status=204,
        paced=True,
    ),
    Resource(
        "named_location",
        "v1.0",
        "/identity/conditionalAccess/namedLocations",
        ("Policy.Read.All",),
        ("Policy.ReadWrite.ConditionalAccess",),
        page=100,
        max_page=999,
        writable=_ALL,
        needs_type=True,
        patch_status=204,
        paced=True,
    ),
    Resource(
        "groups",
        "v1.0",
        "/groups",
        ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"),
        page=100,
        max_page=999,
    ),
    Resource(
        "role_definitions",
        "v1.0",
        "/roleManagement/directory/roleDefinitions",
        ("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory"),
        page=100,
        max_page=999,
    ),
    Resource(
        "organization",
        "v1.0",
        "/organization",
        ("Organization.Read.All", *_reads(_CONFIGURATION)),
    ),
)

#: What an app registration of the demo is granted.
READ_PERMISSIONS = (
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementApps.Read.All",
    "DeviceManagementRBAC.Read.All",
    "GroupMember.Read.All",
    "Organization.Read.All",
    "Policy.Read.All",
    "RoleManagement.Read.Directory",
)
WRITE_PERMISSIONS = (
    "Application.Read.All",
    "DeviceManagementApps.ReadWrite.All",
    "DeviceManagementConfiguration.ReadWrite.All",
    "Policy.ReadWrite.ConditionalAccess",
)
ALL_PERMISSIONS = (*READ_PERMISSIONS, *WRITE_PERMISSIONS)


def kinds() -> tuple[str, ...]:
    """Every kind, once."""
    return tuple(dict.fromkeys(resource.kind for resource in RESOURCES))


def collection_of(kind: str) -> Resource:
    """The collection that lists a kind.

    Raises:
        KeyError: no such kind.
    """
    for resource in RESOURCES:
        if resource.kind == kind:
            return resource
    raise KeyError(kind)


def find(path: str) -> tuple[Resource, list[str]] | None:
    """The collection of a path like "/beta/groups/<id>/owners", and what comes after it."""
    _, _, rest = path.partition("/")
    version, _, rest = rest.partition("/")
    for resource in RESOURCES:
        after = f"/{rest}".removeprefix(resource.path)
        if resource.version == version and after != f"/{rest}" and after[:1] in ("", "/", "("):
            return resource, _segments(after)
    return None


def _segments(after: str) -> list[str]:
    """("/id/sub" and "('id')/sub" mean the same.)"""
    if after.startswith("('"):
        key, _, rest = after[2:].partition("')")
        return [key, *filter(None, rest.split("/"))]
    return [part for part in after.split("/") if part]
