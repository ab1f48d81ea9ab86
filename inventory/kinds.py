"""The kinds of objects in the inventory of policies: backed-up kinds, and kinds they refer to."""

from __future__ import annotations

from providers.graph.kinds import KIND, KINDS
from providers.graph.policy_kind import PolicyKind

#: The kinds that `inventory.sync` reads; groups and role definitions have separate syncs.
POLICY_KINDS: dict[str, PolicyKind] = KINDS | {
    key: KIND[key] for key in ("assignment_filters", "scope_tags")
}


def label_of(kind: str) -> str:
    """Return the singular label of a kind; its key if the kind is no longer known."""
    return POLICY_KINDS[kind].label if kind in POLICY_KINDS else kind
