from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenancy import staff_changes, support_access
from tenancy.models import Workspace


def workspaces(request: HttpRequest) -> dict[str, Any]:
    """Add `workspaces`, the workspaces of the user; they are queried only if a template uses them.

    Each has `has_staff_changes` and `has_support_access`: whether its pages show recent changes by
    staff, or the access of staff, to this user.
    """
    user = getattr(request, "user", None)
    if user is None:
        return {"workspaces": []}
    changes = Exists(staff_changes.recent_for(user, OuterRef("pk")))
    accesses = Exists(support_access.shown_to(user, OuterRef("pk")))
    visible = Workspace.objects.visible_to(user).annotate(
        has_staff_changes=changes, has_support_access=accesses
    )
    return {"workspaces": SimpleLazyObject(lambda: list(visible))}
