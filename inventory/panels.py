"""Panels that other apps add to the page of a policy.

@policy_panel(order=10)
def sets_of(request: Request, policy: Policy) -> Panel | None:
    return "backups/_policy_sets.html", {"items": …}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inventory.models import Policy
from tenancy.http import Request
from web.registry import OrderedRegistry

Panel = tuple[str, dict[str, Any]]
PanelBuilder = Callable[[Request, Policy], Panel | None]

_PANELS: OrderedRegistry[PanelBuilder] = OrderedRegistry()


def policy_panel(*, order: int) -> Callable[[PanelBuilder], PanelBuilder]:
    """Register a panel: a template and its context. The lowest order comes first."""
    return _PANELS.register(order=order)


def policy_panels_for(request: Request, policy: Policy) -> list[Panel]:
    """Return the panels of a policy's page in order, without those that are None."""
    panels = (build(request, policy) for build in _PANELS)
    return [panel for panel in panels if panel]
