"""Invitations for tests."""

from __future__ import annotations

from accounts.invitations import services
from accounts.invitations.models import Invitation
from tenancy.models import User, Workspace
from tenancy.roles import Role


def create_invitation(
    workspace: Workspace,
    email: str = "nadia@example.com",
    role: Role = Role.OPERATOR,
    *,
    by: User | None = None,
) -> tuple[Invitation, str]:
    """Create a pending invitation; return it and the token of its link."""
    return services.invite(workspace, email, role, by=by)
