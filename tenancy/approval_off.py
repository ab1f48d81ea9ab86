"""Switching the approval of restores off, which one owner alone cannot do at once.

Another owner confirms the request. In a workspace with one owner it takes effect after a day, during
which every member sees it. The triggers in `migrations/sql/approval_off.sql` decide; this module
says in advance why they would refuse.
"""

from __future__ import annotations

import logging

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from tenancy.capabilities import may_approve, require_capability
from tenancy.db import database_now
from tenancy.models import ApprovalOffRequest, User, Workspace
from tenancy.roles import Capability

log = logging.getLogger(__name__)


@transaction.atomic
def request_approval_off(workspace: Workspace, *, by: User) -> ApprovalOffRequest:
    """Request that restores of the workspace no longer need an approval.

    Raises:
        PermissionDenied: the user is not an owner.
        ValidationError: no approval is required, or there is an open request.
    """
    locked = _lock(workspace.pk)
    require_capability(by, locked, Capability.MANAGE_WORKSPACE)
    if not locked.restores_need_approval:
        raise ValidationError("Restores of this workspace need no approval.")
    if locked.open_approval_off_request():
        raise ValidationError("There is an open request to switch off the approval.")
    request = ApprovalOffRequest.objects.create(
        workspace=locked, requested_by=by, requested_by_name=by.get_full_name() or by.username
    )
    # The database decides when it takes effect.
    request.refresh_from_db()
    log.info("workspace %s: %s requested to switch off the approval", locked.slug, by)
    return request


@transaction.atomic
def confirm_approval_off(request: ApprovalOffRequest, *, by: User) -> None:
    """Switch the approval off as the second owner.

    Raises:
        PermissionDenied: the user is not an owner.
        ValidationError: it is the user's own request, or it has ended.
    """
    workspace = _lock_open(request, by)
    if request.requested_by_id is None:
        raise ValidationError(
            "The account that made this request was deleted. Withdraw it and request again."
        )
    if request.requested_by_id == by.pk:
        raise ValidationError("Another owner must confirm your request.")
    if not may_approve(by, workspace, Capability.MANAGE_WORKSPACE):
        raise ValidationError(
            "You have been an owner for less than 24 hours. Another owner must confirm the request."
        )
    ApprovalOffRequest.objects.filter(pk=request.pk).update(
        confirmed_by=by, confirmed_by_name=by.get_full_name() or by.username, confirmed_at=Now()
    )
    _switch_off(workspace)
    log.info("workspace %s: %s confirmed to switch off the approval", workspace.slug, by)


@transaction.atomic
def withdraw_approval_off(request: ApprovalOffRequest, *, by: User) -> None:
    """Withdraw a request, as any owner; the approval stays on.

    Raises:
        PermissionDenied: the user is not an owner.
        ValidationError: it has ended.
    """
    workspace = _lock_open(request, by)
    ApprovalOffRequest.objects.filter(pk=request.pk).update(
        withdrawn_by=by, withdrawn_by_name=by.get_full_name() or by.username, withdrawn_at=Now()
    )
    log.info("workspace %s: %s withdrew the request to switch off", workspace.slug, by)


def switch_off_due() -> int:
    """Switch the approval off where a workspace with one owner has waited for a day.

    Returns the number of workspaces.
    """
    due = ApprovalOffRequest.objects.filter(ended_at=None, effective_at__lte=Now())
    workspace_ids = list(due.values_list("workspace_id", flat=True))
    return sum(_switch_off_if_due(workspace_id) for workspace_id in workspace_ids)


@transaction.atomic
def _switch_off_if_due(workspace_id: int) -> bool:
    """Return whether it was due: not withdrawn in the meantime, and still with one owner."""
    workspace = _lock(workspace_id)
    request = workspace.open_approval_off_request()
    is_due = (
        request is not None
        and request.is_by_time
        and request.effective_at is not None
        and request.effective_at <= database_now()
    )
    if is_due:
        _switch_off(workspace)
        log.info("workspace %s: the approval is off, as requested", workspace.slug)
    return is_due


def _switch_off(workspace: Workspace) -> None:
    """A trigger ends the request, and refuses if it neither is confirmed nor has waited."""
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=False)


def _lock(workspace_id: int) -> Workspace:
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)


def _lock_open(request: ApprovalOffRequest, by: User) -> Workspace:
    """Lock the workspace of an open request; changes of its owners wait for the commit."""
    workspace = _lock(request.workspace_id)
    require_capability(by, workspace, Capability.MANAGE_WORKSPACE)
    if workspace.open_approval_off_request() != request:
        raise ValidationError("This request has ended.")
    return workspace
