"""Objects of the directory of any type: members and owners of groups, and workload identities."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Service

KIND = PolicyKind(
    key="directory_objects",
    label="Directory object",
    label_plural="Directory objects",
    list_path="/v1.0/directoryObjects",
    looked_up_at="/v1.0/directoryObjects/{id}",
    read_permission="Directory.Read.All",
    includes=("groups",),
    is_checked_by_graph=True,
    service=Service(page=100, max_page=999, writes=()),
    samples=({"@odata.type": "#microsoft.graph.device", "displayName": "LAPTOP-0042"},),
)
