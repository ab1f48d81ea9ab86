"""The sections of a tenant's page that apps register in their `tenant_page.py`.

    @tenant_panel(order=10)
    def freshness(request: Request, tenant: Tenant) -> Panel | None:
        return "backups/_tenant_freshness.html", {"last": …}

    @tenant_fact("Last complete backup", order=10)
    def last_backup(tenants: Sequence[Tenant]) -> dict[int, Fact]: …

    @tenant_values(order=10)
    def policy_counts() -> dict[str, Any]: …

    register_start(Start("Sync inventory", "inventory_sync", Capability.START_SYNC, icon="refresh"))

Panels appear on the tenant's page, facts are columns of the list of tenants, starts are buttons
on the tenant's page. A panel that returns None is left out. Values are annotations of the tenant of
the page: one statement reads those of all panels.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from tenancy.http import Request
from tenancy.models import Tenant, Workspace
from tenancy.roles import Capability
from web.registry import OrderedRegistry

Panel = tuple[str, dict[str, Any]]
PanelBuilder = Callable[[Request, Tenant], Panel | None]

_PANELS: OrderedRegistry[PanelBuilder] = OrderedRegistry()


def tenant_panel(*, order: int) -> Callable[[PanelBuilder], PanelBuilder]:
    """Register a panel: a template and its context; the one with the lowest order comes first.

    The template gets `workspace`, `tenant`, `user` and its own context.
    """
    return _PANELS.register(order=order)


ValuesBuilder = Callable[[], dict[str, Any]]
_VALUES: OrderedRegistry[ValuesBuilder] = OrderedRegistry()


def tenant_values(*, order: int) -> Callable[[ValuesBuilder], ValuesBuilder]:
    """Register expressions by the names of their attributes on the tenant that panels get."""
    return _VALUES.register(order=order)


def with_values(tenants: QuerySet[Tenant]) -> QuerySet[Tenant]:
    """Annotate the tenants with the values that their panels need."""
    for build in _VALUES:
        tenants = tenants.annotate(**build())
    return tenants


def panels_for(request: Request, tenant: Tenant) -> list[Panel]:
    """Return the panels of a tenant's page, in order."""
    panels = (make(request, tenant) for make in _PANELS)
    return [panel for panel in panels if panel]


@dataclass(frozen=True)
class Fact:
    """One cell of the list of tenants: a text, a time, or both.

    `state` sets its color: "good", "warn", "bad" or nothing.
    """

    text: str = ""
    url: str = ""
    state: str = ""
    at: dt.datetime | None = None


FactLoader = Callable[[Sequence[Tenant]], dict[int, Fact]]


@dataclass(frozen=True)
class FactColumn:
    """A column of the list of tenants: one query for all rows of a page, by tenant id."""

    label: str
    load: FactLoader


_FACTS: OrderedRegistry[FactColumn] = OrderedRegistry()


def tenant_fact(label: str, *, order: int) -> Callable[[FactLoader], FactLoader]:
    """Register a column; a tenant without a fact has an empty cell."""

    def register(load: FactLoader) -> FactLoader:
        _FACTS.add(FactColumn(label, load), order=order)
        return load

    return register


def fact_columns() -> list[FactColumn]:
    """Return the columns of the list of tenants, in order."""
    return list(_FACTS)


@dataclass(frozen=True)
class Start:
    """A button that starts an operation on a tenant.

    `url_name` is a route for POST with the workspace's slug and the tenant's id.
    """

    label: str
    url_name: str
    needs: Capability
    icon: str = "player-play"
    order: int = 50

    def url(self, workspace: Workspace, tenant: Tenant) -> str:
        return reverse(self.url_name, args=[workspace.slug, tenant.pk])


_STARTS: OrderedRegistry[Start] = OrderedRegistry()


def register_start(start: Start) -> None:
    """Add a button to the page of every tenant."""
    _STARTS.add(start, order=start.order)


def starts_for(allowed: frozenset[Capability]) -> list[Start]:
    """Return the buttons that these capabilities allow, in order."""
    return [start for start in _STARTS if start.needs in allowed]
