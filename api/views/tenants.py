"""Read tenants, their policies and their freshness."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from ninja import Query, Router
from pydantic import BaseModel, Field

from api.paging import number_of, page_by_number
from api.requests import ApiRequest, ListParameters, one_of
from api.schemas import FreshnessOut, Line, Listed, TenantOut
from api.starts import tenant_or_404
from backups.freshness import freshness_of_tenants
from backups.views.freshness import STATES
from inventory.models import Policy
from providers.graph.kinds import KINDS
from tenancy.filtering import MAX_SEARCH
from tenancy.models import Tenant, TenantStatus

router = Router(tags=["Tenants"])


class SearchParameters(ListParameters):
    q: Line = Field("", max_length=MAX_SEARCH, description="Only rows with this text in the name.")


class TenantParameters(SearchParameters):
    status: one_of(TenantStatus.choices) = Field(None, description="Only tenants in this state.")  # type: ignore[valid-type]


class FreshnessParameters(SearchParameters):
    state: one_of(STATES) = Field(None, description="Only tenants in this state.")  # type: ignore[valid-type]


class PolicyParameters(SearchParameters):
    kind: one_of(KINDS) = Field(None, description="Only policies of this kind.")  # type: ignore[valid-type]


class PolicyOut(BaseModel):
    """A policy, as of the last sync."""

    id: int
    kind: str
    graph_id: str
    name: str

    @classmethod
    def of(cls, policy: Policy) -> PolicyOut:
        return cls(id=policy.pk, kind=policy.kind, graph_id=policy.graph_id, name=policy.name)


@router.get("tenants", response=Listed[TenantOut])
def tenant_list(request: ApiRequest, parameters: Query[TenantParameters]) -> Listed[TenantOut]:
    """List tenants by id."""
    tenants = Tenant.objects.visible_to(request.user).filter(workspace=request.workspace)
    if parameters.q:
        tenants = tenants.filter(name__icontains=parameters.q)
    if parameters.status:
        tenants = tenants.filter(status=parameters.status)
    return page_by_number(tenants, parameters, TenantOut.of)


@router.get("tenants/{int:tenant_id}", response=TenantOut)
def tenant_detail(request: ApiRequest, tenant_id: int) -> TenantOut:
    """Get a tenant."""
    return TenantOut.of(tenant_or_404(request, tenant_id))


@router.get("tenants/{int:tenant_id}/policies", response=Listed[PolicyOut])
def policy_list(
    request: ApiRequest, tenant_id: int, parameters: Query[PolicyParameters]
) -> Listed[PolicyOut]:
    """List the policies of a tenant as of the last sync, by id."""
    tenant = tenant_or_404(request, tenant_id)
    policies = Policy.objects.visible_to(request.user).filter(tenant=tenant).present()
    if parameters.q:
        policies = policies.filter(Q(name__icontains=parameters.q) | Q(graph_id=parameters.q))
    if parameters.kind:
        policies = policies.filter(kind=parameters.kind)
    return page_by_number(policies, parameters, PolicyOut.of)


@router.get("freshness", response=Listed[FreshnessOut])
def freshness_list(
    request: ApiRequest, parameters: Query[FreshnessParameters]
) -> Listed[FreshnessOut]:
    """List how old the last complete backup of each active tenant is, by the id of the tenant."""
    after = number_of(parameters.cursor)
    tenants = Tenant.objects.visible_to(request.user).active().filter(workspace=request.workspace)
    tenants = tenants.filter(pk__gt=after)
    if parameters.q:
        tenants = tenants.filter(name__icontains=parameters.q)
    is_in_state: Any = STATES[parameters.state][1] if parameters.state else lambda _: True
    rows = [row for row in freshness_of_tenants(tenants) if is_in_state(row)]
    rows.sort(key=lambda row: row.tenant.pk)
    shown = rows[: parameters.limit]
    has_more = len(rows) > parameters.limit
    return Listed(
        items=[FreshnessOut.of(row) for row in shown],
        next=str(shown[-1].tenant.pk) if has_more else None,
    )
