"""What an access token leaves of the rights of its user."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db.models import Case, CharField, F, Value, When

from tenancy.roles import ROLE_CAPABILITIES, Capability, Role


@dataclass(frozen=True)
class AccessLimit:
    """The limit of a user who is known by an access token: one workspace, and a highest role.

    `visible_to`, `capabilities_of` and the dispatch of runs apply it to every user who has one.
    """

    workspace_id: int
    role: Role
    #: The operation types that may be started; None for all that the role allows.
    operation_types: frozenset[str] | None
    #: Who used the token, for the audit log.
    origin: str

    def capabilities_in(self, workspace_id: int) -> frozenset[Capability]:
        """Return the capabilities that the token allows in a workspace, at most."""
        if workspace_id != self.workspace_id:
            return frozenset()
        return ROLE_CAPABILITIES[self.role]

    def lower_role(self, field: str) -> Case:
        """Return the lower one of the token's role and the role in a field of a query."""
        higher = list(Role)[list(Role).index(self.role) :]
        capped = When(**{f"{field}__in": higher}, then=Value(self.role.value))
        return Case(capped, default=F(field), output_field=CharField())

    def allows_type(self, operation_type: str) -> bool:
        """Return whether the token may start operations of this type."""
        return self.operation_types is None or operation_type in self.operation_types

    def require_type(self, operation_type: str) -> None:
        """Check that the token may start operations of this type.

        Raises:
            PermissionDenied: it may not.
        """
        if not self.allows_type(operation_type):
            raise PermissionDenied(f"This access token may not start {operation_type}.")
