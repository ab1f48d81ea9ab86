"""Groups of the directory, which assignments and conditional access policies refer to.

Members and owners are backed up by their ids. Only security groups of the directory itself are
restored, and never those that can have roles of the directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Link, Need, PolicyKind, Restore, Service
from providers.graph.references import Reference

_DIRECTORY_OBJECT = "/v1.0/directoryObjects/{id}"
_PROPERTIES = (
    "id,displayName,description,groupTypes,securityEnabled,mailEnabled,mailNickname,"
    "membershipRule,membershipRuleProcessingState,onPremisesSyncEnabled,isAssignableToRole"
)
_OWNERS = Link("owners", _DIRECTORY_OBJECT, kind="directory_objects")
_MEMBERS = Link("members", _DIRECTORY_OBJECT, kind="directory_objects")


def _is_dynamic(payload: Mapping[str, Any]) -> bool:
    return "DynamicMembership" in (payload.get("groupTypes") or [])


def _links(payload: Mapping[str, Any]) -> tuple[Link, ...]:
    """The members and owners; the rule of a dynamic group decides about its members."""
    return (_OWNERS,) if _is_dynamic(payload) else (_OWNERS, _MEMBERS)


def _refuses(payload: dict[str, Any]) -> str:
    if payload.get("isAssignableToRole"):
        return "groups that can have directory roles"
    if payload.get("onPremisesSyncEnabled"):
        return "groups that are synchronized from another directory"
    if payload.get("mailEnabled"):
        return "Microsoft 365 groups and groups with a mailbox"
    return ""


KIND = PolicyKind(
    key="groups",
    label="Group",
    label_plural="Groups",
    list_path="/v1.0/groups",
    list_params={"$select": _PROPERTIES, "$top": "999"},
    detail_params={"$select": _PROPERTIES},
    needed=Need.READ,
    read_permission="GroupMember.Read.All",
    write_permission="Group.ReadWrite.All",
    read=with_detail,
    links=_links,
    # Of a dynamic group, its rule decides.
    computed=("members",),
    references=(
        Reference("directory_objects", "members[]"),
        Reference("directory_objects", "owners[]"),
    ),
    refuses=_refuses,
    restore=Restore.FULL,
    has_own_table=True,
    # Each group takes three requests.
    is_costly=True,
    service=Service(
        page=100,
        max_page=999,
        patch_status=204,
        reads_with=("Group.Read.All", "Directory.Read.All"),
    ),
)
