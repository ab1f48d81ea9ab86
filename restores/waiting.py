"""What waits for the approval of a user: restores, and requests to switch the approval off."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet
from django.db.models.expressions import Combinable

from restores.models import RestoreRun
from tenancy.models import ApprovalOffRequest, User
from tenancy.querysets import CappedCount
from tenancy.roles import Capability, roles_with
from tenancy.waiting import register_waiting

#: More are not counted or listed.
MAX_WAITING = 100


def requests_waiting_for(user: User) -> QuerySet[ApprovalOffRequest]:
    """Return the open requests of other owners that this user can confirm."""
    open_requests = ApprovalOffRequest.objects.filter(
        ended_at=None,
        requested_by__isnull=False,
        workspace__restores_need_approval=True,
        workspace__memberships__user=user.pk,
        workspace__memberships__role__in=roles_with(Capability.MANAGE_WORKSPACE),
    )
    return open_requests.exclude(requested_by=user.pk)


@register_waiting
def restores(user: User) -> Combinable:
    """Return the number of restores of a workspace that wait for the user."""
    return _count(RestoreRun.objects.waiting_for(user))


@register_waiting
def approval_off_requests(user: User) -> Combinable:
    """Return the number of requests of a workspace that wait for the user."""
    return _count(requests_waiting_for(user))


def _count(rows: QuerySet[RestoreRun] | QuerySet[ApprovalOffRequest]) -> Combinable:
    of_workspace = rows.filter(workspace=OuterRef("pk")).order_by()
    return CappedCount(of_workspace.values("pk")[:MAX_WAITING])
