"""The permission checks of a run, shared by its page and the bulk actions."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from operations.models import OperationRun
from tenancy.models import User
from tenancy.roles import Capability

Capabilities = AbstractSet[Capability]


def may_cancel(run: OperationRun, user: User, capabilities: Capabilities) -> bool:
    """Return whether the user may cancel the run: any run, or only the user's own runs."""
    is_own = run.user_id == user.pk
    may_cancel_own = Capability.CANCEL_OWN_RUN in capabilities
    return (is_own and may_cancel_own) or Capability.CANCEL_ANY_RUN in capabilities


def may_retry(run: OperationRun, user: User, capabilities: Capabilities) -> bool:
    """Return whether the user may retry runs, and may start operations of this type."""
    if run.catalog and run.catalog.required_capability not in capabilities:
        return False
    return Capability.RETRY_RUN in capabilities


def may_acknowledge(run: OperationRun, user: User, capabilities: Capabilities) -> bool:
    """Return whether the user may acknowledge runs."""
    return Capability.ACKNOWLEDGE_RUN in capabilities
