from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenancy.models import Workspace


def workspaces(request: HttpRequest) -> dict[str, Any]:
    """Add `workspaces`, the workspaces of the user; they are queried only if a template uses them."""
    user = getattr(request, "user", None)
    if user is None:
        return {"workspaces": []}
    return {"workspaces": SimpleLazyObject(lambda: list(Workspace.objects.visible_to(user)))}
