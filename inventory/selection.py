"""A selection of policies for a bulk action: chosen one by one, or all that a filter finds."""

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
    """There is nothing to act on, or too much; the text is for people."""


@dataclass(frozen=True)
class Selection:
    """Policies by tenant, as they were when they were selected."""

    by_tenant: dict[Tenant, list[Policy]]
    #: How many were asked for that are not there (any more).
    gone: int = 0
    query: dict[str, str] = field(default_factory=dict)

    @property
    def policies(self) -> list[Policy]:
        return [policy for policies in self.by_tenant.values() for policy in policies]

    @property
    def ids(self) -> str:
        """The ids of all of them as one text, for a form that asks again."""
        return ",".join(str(policy.pk) for policy in self.policies)

    @property
    def count(self) -> int:
        return len(self.policies)

    def hash_of(self, tenant: Tenant) -> str:
        """Equal for equal selections of the tenant: 64 hex digits over kinds and Graph ids."""
        chosen = sorted((policy.kind, policy.graph_id) for policy in self.by_tenant[tenant])
        return hashlib.sha256(identity_json(chosen).encode()).hexdigest()

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
    """What a form of the list of policies selected: `policy` ids, or `all` with its filters.

    A form that asks again sends all ids in one field, `policies`: there may be more of them than
    a form may have fields. Policies that are gone, and ids of other workspaces, which are as good as missing, are left
    out and counted.

    Raises:
        SelectionError: nothing is left, more than `MAX_SELECTED`, or a filter cannot be used.
    """
    visible = Policy.objects.visible_to(request.user).filter(workspace=workspace)
    if request.POST.get("all") == "1":
        filters = Filters.of(request.POST, workspace, POLICY_CHOICES)
        if filters.errors:
            raise SelectionError("The filter could not be used, so nothing was done.")
        found = filters.apply(visible.present(), POLICY_CHOICES)
        return _selection(found, query=filters.as_query())
    ids = _ids(request)
    if len(ids) > MAX_SELECTED:
        raise SelectionError(_TOO_MANY)
    return _selection(visible.present().filter(pk__in=ids), asked=len(ids))


def _ids(request: Request) -> set[int]:
    given = [*request.POST.getlist("policy"), *request.POST.get("policies", "").split(",")]
    return set(parse_ids(given))


_TOO_MANY = f"That is more than {MAX_SELECTED:,} policies. Narrow the filter, and go in parts."


def _selection(found: Any, *, asked: int = 0, query: dict[str, str] | None = None) -> Selection:
    policies = list(
        found.with_scope().order_by("tenant_id", "kind", "name", "pk")[: MAX_SELECTED + 1]
    )
    if not policies:
        raise SelectionError("Nothing is selected. Tick the policies first.")
    if len(policies) > MAX_SELECTED:
        raise SelectionError(_TOO_MANY)
    by_tenant: dict[Tenant, list[Policy]] = {}
    for policy in policies:
        by_tenant.setdefault(policy.tenant, []).append(policy)
    return Selection(by_tenant, gone=max(0, asked - len(policies)), query=query or {})
