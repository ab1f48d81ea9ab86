"""The kinds of object that Runledger reads. Adding one is an entry here and its permission."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.utils.dateparse import parse_datetime

from providers.graph import normalize
from providers.graph.capture import (
    Capture,
    Captured,
    as_listed,
    object_path,
    with_detail,
    with_settings,
)
from providers.graph.errors import IncompleteListing
from providers.graph.normalize import NO_NOISE, Noise
from providers.graph.permissions import Permission, permission_for

if TYPE_CHECKING:
    from providers.graph.client import GraphClient


MAX_ID = 200


class Restore(StrEnum):
    """How far a kind can be restored."""

    FULL = "full"
    PREVIEW_ONLY = "preview_only"
    NEVER = "never"


@dataclass(frozen=True)
class PolicyKind:
    """One kind: where it is, how it is read, what of it is content.

    `collections` gives the collection of each `@odata.type` where a list mixes types and one
    object must be read from its own; types that are not in it are not of this kind.
    """

    key: str
    label: str
    label_plural: str
    list_path: str
    list_params: Mapping[str, str] = field(default_factory=dict)
    detail_params: Mapping[str, str] = field(default_factory=dict)
    name_field: str = "displayName"
    read: Capture = as_listed
    has_scheduled_actions: bool = False
    collections: Mapping[str, str] = field(default_factory=dict)
    noise: Noise = NO_NOISE
    restore: Restore = Restore.NEVER
    depends_on: tuple[str, ...] = ()

    @property
    def permission(self) -> Permission:
        """What reading and writing need."""
        return permission_for(self.list_path)

    @property
    def permission_read(self) -> str:
        """The application permission that reading needs."""
        return self.permission.read

    def name_of(self, payload: Mapping[str, Any]) -> str:
        """What people call the object; its id where it has no name."""
        return str(payload.get(self.name_field) or payload.get("id") or "")

    def object_path(self, listed: Mapping[str, Any]) -> str:
        """The path of one object that was listed."""
        collection = self.collections.get(str(listed.get("@odata.type")), self.list_path)
        return object_path(collection, str(listed["id"]))

    def list_objects(self, client: GraphClient) -> Iterator[dict[str, Any]]:
        """Every object of the kind, page by page, each with a usable `id`.

        Raises:
            GraphError: see `GraphClient.list`.
        """
        for count, listed in enumerate(client.list(self.list_path, self.list_params)):
            if not self.collections or listed.get("@odata.type") in self.collections:
                self._check_id(listed, count)
                yield listed

    def _check_id(self, listed: Mapping[str, Any], count: int) -> None:
        """An object without an id would be lost silently, so the list counts as broken off."""
        graph_id = listed.get("id")
        usable = isinstance(graph_id, str) and 0 < len(graph_id) <= MAX_ID
        if not usable or any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in str(graph_id)):
            raise IncompleteListing(kind=in_sentence(self.label_plural), count=count)

    def capture(self, client: GraphClient, listed: dict[str, Any]) -> Captured:
        """Read everything of one object that was listed.

        Raises:
            Gone: it was removed since.
            GraphError: it could not be read; nothing is known of it.
        """
        return self.read(self, client, listed)

    def content(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What of a captured object somebody decided: comparable, without ids and times."""
        return normalize.content(payload, self.noise)

    def content_hash(self, payload: dict[str, Any]) -> str:
        """Equal for two captures of an unchanged object."""
        return normalize.content_hash(payload, self.noise)


def in_sentence(label: str) -> str:
    """A label within a sentence: “settings catalog policies”."""
    return f"{label[:1].lower()}{label[1:]}"


def last_modified(entry: Mapping[str, Any]) -> dt.datetime | None:
    """Graph's time of the last change, where it gives a usable one."""
    text = entry.get("lastModifiedDateTime") or entry.get("modifiedDateTime")
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    # Years at the ends overflow when they are converted to another zone.
    return at if at and at.tzinfo and 1 < at.year < 9999 else None


_ASSIGNMENTS = {"$expand": "assignments"}
_ACTIONS = "scheduledActionsForRule($expand=scheduledActionConfigurations)"
_APPS = "/beta/deviceAppManagement"

_KINDS = (
    PolicyKind(
        key="settings_catalog",
        label="Settings catalog policy",
        label_plural="Settings catalog policies",
        list_path="/beta/deviceManagement/configurationPolicies",
        list_params=_ASSIGNMENTS,
        detail_params=_ASSIGNMENTS,
        name_field="name",
        read=with_settings,
        noise=Noise(strip=("settingCount", "creationSource", "priorityMetaData")),
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="device_configuration",
        label="Device configuration profile",
        label_plural="Device configuration profiles",
        list_path="/beta/deviceManagement/deviceConfigurations",
        list_params=_ASSIGNMENTS,
        detail_params=_ASSIGNMENTS,
        read=with_detail,
        noise=Noise(
            strip=(
                "qualityUpdatesPauseStartDate",
                "featureUpdatesPauseStartDate",
                "qualityUpdatesWillBeRolledBack",
                "featureUpdatesWillBeRolledBack",
            ),
        ),
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="compliance",
        label="Compliance policy",
        label_plural="Compliance policies",
        list_path="/beta/deviceManagement/deviceCompliancePolicies",
        list_params=_ASSIGNMENTS,
        detail_params={"$expand": f"assignments,{_ACTIONS}"},
        read=with_detail,
        has_scheduled_actions=True,
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="linux_compliance",
        label="Linux compliance policy",
        label_plural="Linux compliance policies",
        list_path="/beta/deviceManagement/compliancePolicies",
        list_params=_ASSIGNMENTS,
        detail_params={"$expand": f"assignments,{_ACTIONS}"},
        name_field="name",
        read=with_settings,
        noise=Noise(strip=("settingCount", "creationSource")),
        restore=Restore.PREVIEW_ONLY,
    ),
    PolicyKind(
        key="named_location",
        label="Named location",
        label_plural="Named locations",
        list_path="/v1.0/identity/conditionalAccess/namedLocations",
        noise=Noise(unordered_ids=True),
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="conditional_access",
        label="Conditional access policy",
        label_plural="Conditional access policies",
        list_path="/v1.0/identity/conditionalAccess/policies",
        noise=Noise(strip=("templateId",), unordered_ids=True),
        restore=Restore.FULL,
        depends_on=("named_location",),
    ),
    PolicyKind(
        key="app_protection",
        label="App protection policy",
        label_plural="App protection policies",
        list_path=f"{_APPS}/managedAppPolicies",
        detail_params={"$expand": "apps,assignments"},
        read=with_detail,
        collections={
            "#microsoft.graph.iosManagedAppProtection": f"{_APPS}/iosManagedAppProtections",
            "#microsoft.graph.androidManagedAppProtection": f"{_APPS}/androidManagedAppProtections",
            "#microsoft.graph.windowsManagedAppProtection": f"{_APPS}/windowsManagedAppProtections",
            "#microsoft.graph.mdmWindowsInformationProtectionPolicy": (
                f"{_APPS}/mdmWindowsInformationProtectionPolicies"
            ),
        },
        noise=Noise(strip=("deployedAppCount",), strip_within=("version",)),
        restore=Restore.PREVIEW_ONLY,
    ),
    PolicyKind(
        key="groups",
        label="Group",
        label_plural="Groups",
        list_path="/v1.0/groups",
        list_params={
            "$select": "id,displayName,description,groupTypes,securityEnabled,mailEnabled,"
            "membershipRule,membershipRuleProcessingState,onPremisesSyncEnabled,isAssignableToRole",
            "$top": "999",
        },
    ),
    PolicyKind(
        key="role_definitions",
        label="Directory role",
        label_plural="Directory roles",
        list_path="/v1.0/roleManagement/directory/roleDefinitions",
    ),
    PolicyKind(
        key="assignment_filters",
        label="Assignment filter",
        label_plural="Assignment filters",
        list_path="/beta/deviceManagement/assignmentFilters",
    ),
    PolicyKind(
        key="scope_tags",
        label="Scope tag",
        label_plural="Scope tags",
        list_path="/beta/deviceManagement/roleScopeTags",
    ),
)

#: Every kind by its key, in the order in which things depend on each other.
KIND: dict[str, PolicyKind] = {kind.key: kind for kind in _KINDS}

_REFERENCES = frozenset({"groups", "role_definitions", "assignment_filters", "scope_tags"})

#: What a backup may hold.
KINDS: dict[str, PolicyKind] = {k: v for k, v in KIND.items() if k not in _REFERENCES}
#: What is only read, to give names to ids.
REFERENCE_KINDS: dict[str, PolicyKind] = {k: v for k, v in KIND.items() if k in _REFERENCES}
