"""Bulk actions on selected policies; other apps register them.

    register_policy_action(PolicyAction("Export", "policies_export", Capability.EXPORT_POLICIES))

The list of policies shows a button for each action; it posts the selection to the action's route.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenancy.roles import Capability
from web.registry import OrderedRegistry


@dataclass(frozen=True)
class PolicyAction:
    """A button below the list of policies.

    `url_name` is a POST route with the workspace's slug as its only argument; its view reads the
    selection with `inventory.selection.selected_policies`.
    """

    label: str
    url_name: str
    needs: Capability
    icon: str = "player-play"
    order: int = 50


_ACTIONS: OrderedRegistry[PolicyAction] = OrderedRegistry()


def register_policy_action(action: PolicyAction) -> None:
    """Register an action; the lowest order comes first."""
    _ACTIONS.add(action, order=action.order)


def actions_for(allowed: frozenset[Capability]) -> list[PolicyAction]:
    """Return the actions that these capabilities allow, in order."""
    return [action for action in _ACTIONS if action.needs in allowed]
