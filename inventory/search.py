"""The search for policies."""

from __future__ import annotations

from django.db.models import Q

from inventory.models import Policy
from tenancy.models import User
from tenancy.search import MAX_HITS, SHORTEST, Hit, search_source


@search_source("Policies", order=30)
def policies(user: User, text: str) -> list[Hit]:
    """The policies whose name has the text, or whose Graph ID it is."""
    if len(text) < SHORTEST:
        return []
    matches = Policy.objects.visible_to(user).filter(Q(name__icontains=text) | Q(graph_id=text))
    return [
        Hit(
            policy.name,
            f"{policy.kind_label} · {policy.tenant} · {policy.workspace}",
            policy.get_absolute_url(),
        )
        for policy in matches.with_scope().order_by("name", "pk")[:MAX_HITS]
    ]
