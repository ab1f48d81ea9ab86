"""The kinds of objects in the inventory of policies."""

from __future__ import annotations

from providers.graph.kinds import KIND
from providers.graph.policy_kind import PolicyKind

#: The kinds that `inventory.sync` reads; groups and role definitions have separate syncs.
POLICY_KINDS: dict[str, PolicyKind] = {
    key: kind for key, kind in KIND.items() if not kind.has_own_table and not kind.looked_up_at
}


def label_of(kind: str) -> str:
    """Return the singular label of a kind; its key if the kind is no longer known."""
    return POLICY_KINDS[kind].label if kind in POLICY_KINDS else kind
