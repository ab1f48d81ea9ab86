"""What waits for the decision of a user, and what the user has not read, in all workspaces.

An app registers how to count it in each workspace. The navigation shows the sums on every page, so
the counts are part of the statement that reads the workspaces of the menu.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Value
from django.db.models.expressions import Combinable

from tenancy.models import User

#: Returns the count for a user as an expression on a workspace.
Count = Callable[[User], Combinable]

_COUNTS: list[Count] = []
_UNREAD: list[Count] = []


def register_waiting(count: Count) -> Count:
    """Register what waits for a user in a workspace."""
    _COUNTS.append(count)
    return count


def waiting_for(user: User) -> Combinable:
    """Return how much waits for the user in a workspace, as an expression on it."""
    return _sum(_COUNTS, user)


def register_unread(count: Count) -> Count:
    """Register what a user has not read in a workspace."""
    _UNREAD.append(count)
    return count


def unread_by(user: User) -> Combinable:
    """Return how much the user has not read in a workspace, as an expression on it."""
    return _sum(_UNREAD, user)


def _sum(counts: list[Count], user: User) -> Combinable:
    total: Combinable = Value(0)
    for count in counts:
        total = total + count(user)
    return total
