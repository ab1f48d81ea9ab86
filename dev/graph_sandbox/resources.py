"""The collections of Graph that the sandbox has, and how each of them behaves."""

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

    `hidden` names the properties that are returned only when expanded. `type_only` limits the
    collection to the objects of one type. `writable` names the supported methods that write.
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
    Resource("audit_events", "v1.0", "/deviceManagement/auditEvents", _reads(_APPS)),
    Resource(
        "directory_audits",
        "v1.0",
        "/auditLogs/directoryAudits",
        ("AuditLog.Read.All",),
        page=100,
        max_page=1000,
    ),
    Resource(
        "organization",
        "v1.0",
        "/organization",
        ("Organization.Read.All", *_reads(_CONFIGURATION)),
    ),
)

#: The permissions that an app registration of the demo has.
READ_PERMISSIONS = (
    "AuditLog.Read.All",
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementApps.Read.All",
    "DeviceManagementRBAC.Read.All",
    "Directory.Read.All",
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
    """Return every kind once."""
    return tuple(dict.fromkeys(resource.kind for resource in RESOURCES))


def collection_of(kind: str) -> Resource:
    """Return the collection that lists a kind.

    Raises:
        KeyError: the kind is unknown.
    """
    for resource in RESOURCES:
        if resource.kind == kind:
            return resource
    raise KeyError(kind)


def find(path: str) -> tuple[Resource, list[str]] | None:
    """Return the collection of a path like "/beta/groups/<id>/owners" and the segments after it.

    OData writes the id of an object as "/<id>" or as "('<id>')".
    """
    _, _, rest = path.partition("/")
    version, _, rest = rest.partition("/")
    for resource in RESOURCES:
        after = f"/{rest}".removeprefix(resource.path)
        if resource.version == version and after != f"/{rest}" and after[:1] in ("", "/", "("):
            if after.startswith("('"):
                object_id, _, tail = after[2:].partition("')")
                return resource, [object_id, *filter(None, tail.split("/"))]
            return resource, [segment for segment in after.split("/") if segment]
    return None
