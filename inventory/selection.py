"""A selection of policies for a bulk action: single policies, or all that match a filter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from inventory.choices import POLICY_CHOICES
from inventory.filters import Filters
from inventory.models import Policy
from operations.identity import identity_json
from tenancy.http import Request
from tenancy.models import Tenant, Workspace
from web.ids import parse_ids

MAX_SELECTED = 2000


class SelectionError(ValueError):
    """The selection is empty or too large; the message is shown to the user."""


@dataclass(frozen=True)
class Selection:
    """Policies by tenant, as they were when they were selected."""

    by_tenant: dict[Tenant, list[Policy]]
    #: The number of requested policies that are no longer in the tenant.
    missing: int = 0
    query: dict[str, str] = field(default_factory=dict)

    @property
    def policies(self) -> list[Policy]:
        return [policy for policies in self.by_tenant.values() for policy in policies]

    @property
    def ids(self) -> str:
        """The ids as one text, for the hidden field of a confirmation form."""
        return ",".join(str(policy.pk) for policy in self.policies)

    @property
    def count(self) -> int:
        return len(self.policies)

    def hash_of(self, tenant: Tenant) -> str:
        """Equal for equal selections of the tenant: 64 hex digits over kinds and Graph ids."""
        keys = sorted((policy.kind, policy.graph_id) for policy in self.by_tenant[tenant])
        return hashlib.sha256(identity_json(keys).encode()).hexdigest()

    def context_of(self, tenant: Tenant) -> dict[str, Any]:
        """The run context's `selection` for one tenant."""
        policies = self.by_tenant[tenant]
        return {
            "kind": "policy",
            "ids": [policy.pk for policy in policies],
            "query": "&".join(f"{name}={value}" for name, value in self.query.items()),
            "count": len(policies),
            "hash": self.hash_of(tenant),
        }


def selected_policies(request: Request, workspace: Workspace) -> Selection:
    """The policies that a form selects: `policy` ids, or `all` with the filters of the list.

    A confirmation form sends all ids in one field, `policies`, because a form may have fewer
    fields than there are ids. Policies that were deleted in the tenant, and ids of other
    workspaces, are left out and counted.

    Raises:
        SelectionError: no policy is left, more than `MAX_SELECTED` are, or a filter is invalid.
    """
    visible = Policy.objects.visible_to(request.user).filter(workspace=workspace)
    if request.POST.get("all") == "1":
        filters = Filters.of(request.POST, workspace, POLICY_CHOICES)
        if filters.errors:
            raise SelectionError("The filter is not valid. Nothing was changed.")
        matching = filters.apply(visible.present(), POLICY_CHOICES)
        return _selection(matching, query=filters.as_query())
    ids = set(
        parse_ids([*request.POST.getlist("policy"), *request.POST.get("policies", "").split(",")])
    )
    if len(ids) > MAX_SELECTED:
        raise SelectionError(_TOO_MANY)
    return _selection(visible.present().filter(pk__in=ids), requested=len(ids))


_TOO_MANY = f"Select at most {MAX_SELECTED:,} policies at a time. Narrow the filter."


def _selection(
    matching: Any, *, requested: int = 0, query: dict[str, str] | None = None
) -> Selection:
    policies = list(
        matching.with_scope().order_by("tenant_id", "kind", "name", "pk")[: MAX_SELECTED + 1]
    )
    if not policies:
        raise SelectionError("No policies are selected. Select policies and try again.")
    if len(policies) > MAX_SELECTED:
        raise SelectionError(_TOO_MANY)
    by_tenant: dict[Tenant, list[Policy]] = {}
    for policy in policies:
        by_tenant.setdefault(policy.tenant, []).append(policy)
    return Selection(by_tenant, missing=max(0, requested - len(policies)), query=query or {})
