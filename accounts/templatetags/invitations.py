"""Template tags about invitations, for the page of the members."""

from __future__ import annotations

from django import template

from accounts.invitations.models import Invitation, InvitationQuerySet
from tenancy.models import Workspace

register = template.Library()


@register.simple_tag
def pending_invitations(workspace: Workspace) -> InvitationQuerySet:
    """Return the pending invitations of the workspace, by address."""
    return Invitation.objects.pending().filter(workspace=workspace)
