"""What other apps show of a policy; each registers its part.

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
    """Register a panel: a template and its context; the one with the lowest order comes first."""
    return _PANELS.register(order=order)


def policy_panels_for(request: Request, policy: Policy) -> list[Panel]:
    """The panels of a policy's page, in order; one that returns None is left out."""
    panels = (make(request, policy) for make in _PANELS)
    return [panel for panel in panels if panel]
