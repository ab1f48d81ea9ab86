"""The lists of an inventory, and one object of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from inventory.actions import actions_for
from inventory.choices import GROUP_CHOICES, POLICY_CHOICES, ROLE_CHOICES
from inventory.filters import STATES, Choice, Filters
from inventory.last_sync import last_syncs
from inventory.models import DirectoryGroup, Mirrored, Policy, RoleDefinition
from inventory.panels import policy_panels_for
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.capabilities import capabilities_of
from tenancy.filtering import tenant_menu
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.roles import Capability
from web.numbered import numbered_page


@dataclass(frozen=True)
class Listing:
    """One of the lists: what is in it, and the sync that fills it."""

    key: str
    url_name: str
    title: str
    noun: str
    model: type[Any]
    sync: OperationRunType
    start: str
    choices: Sequence[Choice]


POLICIES = Listing(
    "policies",
    "policy_list",
    "Policies",
    "policy",
    Policy,
    OperationRunType.INVENTORY_SYNC,
    "inventory_sync",
    POLICY_CHOICES,
)
GROUPS = Listing(
    "groups",
    "group_list",
    "Groups",
    "group",
    DirectoryGroup,
    OperationRunType.DIRECTORY_GROUPS_SYNC,
    "directory_groups_sync",
    GROUP_CHOICES,
)
ROLES = Listing(
    "roles",
    "role_definition_list",
    "Role definitions",
    "role definition",
    RoleDefinition,
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
    "role_definitions_sync",
    ROLE_CHOICES,
)
LISTINGS = (POLICIES, GROUPS, ROLES)


@page
def policy_list(request: Request, slug: str) -> HttpResponse:
    """The policies of a workspace's tenants, and what can be done with a selection of them."""
    return _list(request, slug, POLICIES)


@page
def group_list(request: Request, slug: str) -> HttpResponse:
    """The groups of a workspace's tenants."""
    return _list(request, slug, GROUPS)


@page
def role_definition_list(request: Request, slug: str) -> HttpResponse:
    """The directory roles of a workspace's tenants."""
    return _list(request, slug, ROLES)


@page
def policy_detail(request: Request, slug: str, policy_id: int) -> HttpResponse:
    """One policy: what the inventory knows of it, and what other apps know."""
    policy = _object_or_404(request, slug, Policy, policy_id)
    panels = policy_panels_for(request, policy)
    return _detail(request, POLICIES, policy, {"panels": panels})


@page
def group_detail(request: Request, slug: str, group_id: int) -> HttpResponse:
    """One group."""
    return _detail(request, GROUPS, _object_or_404(request, slug, DirectoryGroup, group_id), {})


@page
def role_definition_detail(request: Request, slug: str, role_definition_id: int) -> HttpResponse:
    """One directory role, and what it allows."""
    role = _object_or_404(request, slug, RoleDefinition, role_definition_id)
    return _detail(request, ROLES, role, {})


def _list(request: Request, slug: str, listing: Listing) -> HttpResponse:
    workspace = workspace_or_404(request, slug)
    filters = Filters.of(request.GET, workspace, listing.choices)
    visible = listing.model.objects.visible_to(request.user).filter(workspace=workspace)
    rows = visible.with_scope().order_by("name", "id")
    found = filters.apply(rows, listing.choices)
    tenants = tenant_menu(workspace.tenants.all(), filters.tenant)
    context = {
        "page": numbered_page(found, request.GET.get("page")),
        "filters": filters,
        "choices": [(choice, filters.chosen.get(choice.name, "")) for choice in listing.choices],
        "states": STATES,
        "tenants": tenants,
        "has_tenants": bool(tenants),
        "sync": _last_sync(listing, filters.tenant),
        "is_known": visible.exists(),
    }
    framed = _framed(request, workspace, listing, context)
    status = 400 if filters.errors else 200
    return render(request, f"inventory/{listing.key}.html", framed, status=status)


def _detail(
    request: Request, listing: Listing, row: Mirrored, context: dict[str, Any]
) -> HttpResponse:
    shown = {"object": row, "sync": _last_sync(listing, row.tenant)}
    framed = _framed(request, row.workspace, listing, context | shown)
    return render(request, f"inventory/{listing.key}_detail.html", framed)


def _last_sync(listing: Listing, tenant: Tenant | None) -> OperationRun | None:
    return last_syncs(listing.sync, [tenant]).get(tenant.pk) if tenant else None


def _framed(
    request: Request, workspace: Workspace, listing: Listing, context: dict[str, Any]
) -> dict[str, Any]:
    allowed = capabilities_of(request.user, workspace)
    return context | {
        "workspace": workspace,
        "section": "inventory",
        "listing": listing,
        "listings": LISTINGS,
        "may_sync": Capability.START_SYNC in allowed,
        "actions": actions_for(allowed) if listing is POLICIES else [],
        "may_export": Capability.EXPORT_POLICIES in allowed,
    }


def _object_or_404(request: Request, slug: str, model: type[Any], pk: int) -> Any:
    visible = model.objects.visible_to(request.user).with_scope()
    return get_object_or_404(visible, workspace__slug=slug, pk=pk)
