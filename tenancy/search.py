"""The search across all workspaces of a user; apps register where it looks.

    @search_source("Tenants", order=20)
    def tenants(user: User, text: str) -> Iterable[Hit]:
        …

A source reads at most `MAX_HITS` rows with one or two statements, from what the user can view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.urls import reverse

from tenancy.forms import GUID
from tenancy.models import Tenant, User, Workspace
from web.letter_case import ignore_case
from web.registry import OrderedRegistry

MAX_HITS = 8
#: The shortest text for which names are searched.
SHORTEST = 2


@dataclass(frozen=True)
class Hit:
    """One result: a link, and what distinguishes it from others of the same name."""

    label: str
    detail: str
    url: str


@dataclass(frozen=True)
class Group:
    """The results of one source."""

    title: str
    hits: list[Hit]


Source = Callable[[User, str], Iterable[Hit]]

_SOURCES: OrderedRegistry[tuple[str, Source]] = OrderedRegistry()


def search_source(title: str, *, order: int) -> Callable[[Source], Source]:
    """Register a source; the source with the lowest order comes first."""

    def register(source: Source) -> Source:
        _SOURCES.add((title, source), order=order)
        return source

    return register


def search(user: User, text: str) -> list[Group]:
    """Return the results of every source that has any."""
    groups = [Group(title, list(source(user, text))) for title, source in _SOURCES]
    return [group for group in groups if group.hits]


#: The pages of each workspace: title and route.
PAGES = (
    ("Overview", "overview"),
    ("Runs", "run_list"),
    ("Saved views", "saved_view_list"),
    ("Incidents", "incident_list"),
    ("Freshness", "freshness_list"),
    ("Tenants", "tenant_list"),
    ("Policies", "policy_list"),
    ("Groups", "group_list"),
    ("Role definitions", "role_definition_list"),
    ("Schedules", "schedule_list"),
    ("Backup sets", "backup_set_list"),
    ("Changes", "change_list"),
    ("Restores", "restore_list"),
    ("Connections", "connection_list"),
    ("Members", "member_list"),
    ("Notification rules", "notification_rule_list"),
    ("Deliveries of notifications", "notification_delivery_list"),
    ("Webhook endpoints", "webhook_endpoint_list"),
)


@search_source("Pages", order=50)
def pages(user: User, text: str) -> list[Hit]:
    """The pages whose title, with the name of their workspace, has every word of the text."""
    words = ignore_case(text).split()
    workspaces = list(Workspace.objects.visible_to(user)[:MAX_HITS])
    hits = [
        Hit(title, workspace.name, reverse(route, args=[workspace.slug]))
        for title, route in PAGES
        for workspace in workspaces
        if all(word in ignore_case(f"{title} {workspace.name}") for word in words)
    ]
    return hits[:MAX_HITS]


@search_source("Tenants", order=20)
def tenants(user: User, text: str) -> list[Hit]:
    """The tenants whose name has the text, or whose Entra tenant ID it is."""
    if len(text) < SHORTEST:
        return []
    matches = Q(name__icontains=text)
    if GUID.fullmatch(text.lower()):
        matches |= Q(external_id=text.lower())
    matching = Tenant.objects.visible_to(user).filter(matches).select_related("workspace")
    return [
        Hit(tenant.name, tenant.workspace.name, tenant.get_absolute_url())
        for tenant in matching.order_by("name", "pk")[:MAX_HITS]
    ]
