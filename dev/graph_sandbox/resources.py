"""The collections of Graph that the sandbox has, and how each of them behaves.

Those of the kinds that Runledger reads follow from the declarations of the kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from providers.graph.kinds import KIND
from providers.graph.policy_kind import STANDARD, PolicyKind, Service

_KEY = re.compile(r"\((?:\w+=)?'([^']*)'\)")
#: A collection of app policies that Runledger does not read; Graph lists them with those it reads.
_APP_CONFIGURATION = "#microsoft.graph.targetedManagedAppConfiguration"


@dataclass(frozen=True)
class Resource:
    """One collection; `type_only` limits it to the objects of one type.

    `writes` names the supported methods that write.
    """

    kind: str
    version: str
    path: str
    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    name_field: str = "displayName"
    type_only: str = ""
    service: Service = STANDARD
    policy_kind: PolicyKind | None = None

    @property
    def hidden(self) -> tuple[str, ...]:
        """The properties that are returned only when expanded."""
        return self.service.hidden


def _resources_of(kind: PolicyKind) -> Iterator[Resource]:
    """Yield the collection that lists a kind, then that of each type."""
    reading = (kind.read_permission, *kind.service.reads_with)
    if kind.read_permission.replace(".Read.", ".ReadWrite.") == kind.write_permission:
        reading = (*reading, kind.write_permission)
    paths = [("", kind.list_path), *kind.collections.items()]
    if kind.checked_with:
        paths.append(("", kind.checked_with))
    for odata_type, address in paths:
        _, version, path = address.split("/", 2)
        # Objects of several types are written through the collection of their type.
        is_writable = bool(odata_type) or not kind.collections
        yield Resource(
            kind.key,
            version,
            f"/{path}",
            reading,
            write=(kind.write_permission,),
            writes=kind.service.writes if is_writable else (),
            name_field=kind.name_field,
            type_only=odata_type,
            service=kind.service,
            policy_kind=kind,
        )


_APPS = ("DeviceManagementApps.Read.All", "DeviceManagementApps.ReadWrite.All")

RESOURCES = (
    *(resource for kind in KIND.values() for resource in _resources_of(kind)),
    Resource(
        "app_protection",
        "beta",
        "/deviceAppManagement/targetedManagedAppConfigurations",
        _APPS,
        type_only=_APP_CONFIGURATION,
        service=KIND["app_protection"].service,
    ),
    Resource("audit_events", "v1.0", "/deviceManagement/auditEvents", _APPS),
    Resource(
        "directory_audits",
        "v1.0",
        "/auditLogs/directoryAudits",
        ("AuditLog.Read.All",),
        service=Service(page=100),
    ),
    Resource(
        "organization",
        "v1.0",
        "/organization",
        (
            "Organization.Read.All",
            "DeviceManagementConfiguration.Read.All",
            "DeviceManagementConfiguration.ReadWrite.All",
        ),
    ),
)

#: The permissions that an app registration of the demo has.
READ_PERMISSIONS = tuple(
    sorted(
        {"AuditLog.Read.All", "Directory.Read.All", "Organization.Read.All"}
        | {kind.read_permission for kind in KIND.values()}
    )
)
WRITE_PERMISSIONS = tuple(
    sorted(
        {
            permission
            for kind in KIND.values()
            for permission in (kind.write_permission, *kind.more_permissions)
            if permission
        }
    )
)
ALL_PERMISSIONS = tuple(dict.fromkeys((*READ_PERMISSIONS, *WRITE_PERMISSIONS)))


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

    OData writes the id of an object as "/<id>" or as "('<id>')", and another key with its name.
    """
    _, _, rest = path.partition("/")
    version, _, rest = rest.partition("/")
    for resource in RESOURCES:
        after = f"/{rest}".removeprefix(resource.path)
        if resource.version == version and after != f"/{rest}" and after[:1] in ("", "/", "("):
            if key := _KEY.match(after):
                return resource, [key[1], *filter(None, after[key.end() :].split("/"))]
            return resource, [segment for segment in after.split("/") if segment]
    return None
