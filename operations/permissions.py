"""Who may do what with a run: the one rule behind its page, the bulk actions and the admin."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from operations.models import OperationRun
from tenancy.models import User
from tenancy.roles import Capability

Capabilities = AbstractSet[Capability]


def may_cancel(run: OperationRun, user: User, mine: Capabilities) -> bool:
    """Any run with one capability, one's own with another."""
    own = run.user_id == user.pk and Capability.CANCEL_OWN_RUN in mine
    return own or Capability.CANCEL_ANY_RUN in mine


def may_retry(run: OperationRun, user: User, mine: Capabilities) -> bool:
    """Whoever may retry, and may start operations of this type."""
    needs = {Capability.RETRY_RUN, *([run.catalog.required_capability] if run.catalog else [])}
    return needs <= mine


def may_acknowledge(run: OperationRun, user: User, mine: Capabilities) -> bool:
    """Whoever may acknowledge runs here."""
    return Capability.ACKNOWLEDGE_RUN in mine
