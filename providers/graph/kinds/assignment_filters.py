"""Assignment filters, which limit assignments to some devices or apps."""

from __future__ import annotations

from providers.graph.normalize import Noise
from providers.graph.policy_kind import Need, PolicyKind, Restore, Service
from providers.graph.references import Reference

KIND = PolicyKind(
    key="assignment_filters",
    label="Assignment filter",
    label_plural="Assignment filters",
    list_path="/beta/deviceManagement/assignmentFilters",
    needed=Need.READ,
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    # The policies that use the filter, not a part of it.
    noise=Noise(strip=("payloads",)),
    restore=Restore.FULL,
    is_checked_by_graph=True,
    references=(Reference("scope_tags", "roleScopeTags[]", built_in=frozenset({"0"})),),
    service=Service(read_only=("payloads",)),
    exported_as=("Filters",),
)
