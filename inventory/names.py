"""The names of the objects that policies refer to by their ids."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

_NAMES = """
SELECT graph_id, name FROM directory_groups WHERE tenant_id = %(tenant)s AND graph_id = ANY(%(ids)s)
UNION ALL
SELECT graph_id, name FROM directory_role_definitions
WHERE tenant_id = %(tenant)s AND graph_id = ANY(%(ids)s)
UNION ALL
SELECT graph_id, name FROM policies
WHERE tenant_id = %(tenant)s AND graph_id = ANY(%(ids)s)
  AND kind IN ('assignment_filters', 'scope_tags', 'named_location')
"""
MAX_IDS = 2000


def names_of(tenant_id: int, ids: Collection[str]) -> dict[str, str]:
    """Return the names that the inventory has for ids, in one statement.

    They are those of groups, directory roles, assignment filters, scope tags and named locations.
    """
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"tenant": tenant_id, "ids": sorted(ids)[:MAX_IDS]})
        return dict(cursor.fetchall())
