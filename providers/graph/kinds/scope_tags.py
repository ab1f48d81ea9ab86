"""Scope tags, which limit the administrators who see an object."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, Need, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="scope_tags",
    label="Scope tag",
    label_plural="Scope tags",
    list_path="/beta/deviceManagement/roleScopeTags",
    needed=Need.READ,
    read_permission="DeviceManagementRBAC.Read.All",
    write_permission="DeviceManagementRBAC.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("isBuiltIn",)),
    restore=Restore.FULL,
    is_checked_by_graph=True,
    assign=Assign(has_filters=False),
    service=Service(hidden=("assignments",), read_only=("isBuiltIn",)),
)
