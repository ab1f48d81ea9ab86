"""The kinds of object in an inventory of policies: those a backup can hold, and what they name."""

from __future__ import annotations

from providers.graph.kinds import KIND, KINDS
from providers.graph.policy_kind import PolicyKind

#: What `inventory.sync` reads; groups and role definitions have syncs of their own.
POLICY_KINDS: dict[str, PolicyKind] = KINDS | {
    key: KIND[key] for key in ("assignment_filters", "scope_tags")
}


def label_of(kind: str) -> str:
    """What people call one of the kind; its key for one that is no longer known."""
    return POLICY_KINDS[kind].label if kind in POLICY_KINDS else kind
