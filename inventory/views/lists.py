"""The lists of the inventory, and the page of each object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from inventory.actions import actions_for
from inventory.choices import GROUP_CHOICES, POLICY_CHOICES, ROLE_CHOICES
from inventory.filters import Choice, Filters
from inventory.last_sync import last_syncs
from inventory.models import DirectoryGroup, Mirrored, Policy, RoleDefinition
from inventory.panels import policy_panels_for
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.capabilities import capabilities_of
from tenancy.http import Request, page, render_list, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.roles import Capability
from web.csv_export import Columns
from web.numbered import has_rows, numbered_page


@dataclass(frozen=True)
class Listing:
    """One of the lists: its objects, and the sync that updates it."""

    key: str
    url_name: str
    detail_name: str
    title: str
    noun: str
    model: type[Any]
    sync: OperationRunType
    start: str
    choices: Sequence[Choice]
    #: The columns of the export.
    columns: Columns


_COLUMNS: Columns = {
    "id": "pk",
    "tenant": "tenant.name",
    "graph_id": "graph_id",
    "name": "name",
    "description": "description",
    "first_seen_at": "first_seen_at",
    "changed_at": "changed_at",
    "missing_since": "missing_since",
}

POLICIES = Listing(
    "policies",
    "policy_list",
    "policy_detail",
    "Policies",
    "policy",
    Policy,
    OperationRunType.INVENTORY_SYNC,
    "inventory_sync",
    POLICY_CHOICES,
    {
        **_COLUMNS,
        "kind": "kind",
        "platform": "platform",
        "state": "state",
        "is_assigned": "is_assigned",
        "last_modified_at": "last_modified_at",
    },
)
GROUPS = Listing(
    "groups",
    "group_list",
    "group_detail",
    "Groups",
    "group",
    DirectoryGroup,
    OperationRunType.DIRECTORY_GROUPS_SYNC,
    "directory_groups_sync",
    GROUP_CHOICES,
    {
        **_COLUMNS,
        "type": "group_type",
        "is_dynamic": "is_dynamic",
        "membership_rule": "membership_rule",
        "is_synced": "is_synced",
    },
)
ROLES = Listing(
    "roles",
    "role_definition_list",
    "role_definition_detail",
    "Role definitions",
    "role definition",
    RoleDefinition,
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
    "role_definitions_sync",
    ROLE_CHOICES,
    {**_COLUMNS, "is_built_in": "is_built_in", "is_enabled": "is_enabled"},
)
LISTINGS = (POLICIES, GROUPS, ROLES)


@page
def policy_list(request: Request, slug: str) -> HttpResponseBase:
    """The policies of a workspace's tenants, with bulk actions."""
    return _list(request, slug, POLICIES)


@page
def group_list(request: Request, slug: str) -> HttpResponseBase:
    """The groups of a workspace's tenants."""
    return _list(request, slug, GROUPS)


@page
def role_definition_list(request: Request, slug: str) -> HttpResponseBase:
    """The directory roles of a workspace's tenants."""
    return _list(request, slug, ROLES)


@page
def policy_detail(request: Request, slug: str, policy_id: int) -> HttpResponse:
    """One policy: its inventory data, and the panels of other apps."""
    policy = _object_or_404(request, slug, Policy, policy_id)
    panels = policy_panels_for(request, policy)
    return _detail(request, POLICIES, policy, {"panels": panels})


@page
def group_detail(request: Request, slug: str, group_id: int) -> HttpResponse:
    """One group."""
    return _detail(request, GROUPS, _object_or_404(request, slug, DirectoryGroup, group_id), {})


@page
def role_definition_detail(request: Request, slug: str, role_definition_id: int) -> HttpResponse:
    """One directory role and its permissions."""
    role = _object_or_404(request, slug, RoleDefinition, role_definition_id)
    return _detail(request, ROLES, role, {})


def _list(request: Request, slug: str, listing: Listing) -> HttpResponseBase:
    workspace = workspace_or_404(request, slug)
    filters = Filters.of(request.GET, workspace, listing.choices)
    visible = listing.model.objects.visible_to(request.user).filter(workspace=workspace)
    rows = filters.apply(visible.with_scope(), listing.choices).order_by("name", "id")
    numbered = numbered_page(rows, request.GET.get("page"))
    context = {
        "title": listing.title,
        "noun": listing.noun,
        "filters": filters,
        "has_rows": has_rows(numbered, visible),
        "page": numbered,
        "has_tenants": has_rows(numbered, workspace.tenants.all()),
        "sync": _last_sync(listing, filters.tenant),
    }
    framed = _with_frame(request, workspace, listing, context)
    template = f"inventory/{listing.url_name}.html"
    return render_list(
        request, template, framed, rows=rows, columns=listing.columns, errors=filters.errors
    )


def _detail(
    request: Request, listing: Listing, row: Mirrored, context: dict[str, Any]
) -> HttpResponse:
    context = context | {"object": row, "sync": _last_sync(listing, row.tenant)}
    framed = _with_frame(request, row.workspace, listing, context)
    return render(request, f"inventory/{listing.detail_name}.html", framed)


def _last_sync(listing: Listing, tenant: Tenant | None) -> OperationRun | None:
    if tenant is None:
        return None
    return last_syncs(listing.sync, [tenant]).get(tenant.pk)


def _with_frame(
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
