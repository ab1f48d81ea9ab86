"""What waits for the decision of a user, in all workspaces.

An app registers how to count it in each workspace. The navigation shows the sum on every page, so
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


def register_waiting(count: Count) -> Count:
    """Register what waits for a user in a workspace."""
    _COUNTS.append(count)
    return count


def waiting_for(user: User) -> Combinable:
    """Return how much waits for the user in a workspace, as an expression on it."""
    total: Combinable = Value(0)
    for count in _COUNTS:
        total = total + count(user)
    return total
