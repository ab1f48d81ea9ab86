from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenancy.models import Workspace


def workspaces(request: HttpRequest) -> dict[str, Any]:
    """`workspaces`: those this person may switch to, read only when a template asks."""
    user = getattr(request, "user", None)
    if user is None:
        return {"workspaces": []}
    return {"workspaces": SimpleLazyObject(lambda: list(Workspace.objects.visible_to(user)))}
