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
  AND kind = ANY(%(kinds)s)
"""
#: The kinds of policies that other policies refer to.
_KINDS = sorted(
    {
        *("assignment_filters", "scope_tags", "named_location", "authentication_strengths"),
        *("authentication_contexts", "terms_of_use", "notification_templates"),
        *("compliance_scripts", "reusable_settings", "device_configuration"),
    }
)
MAX_IDS = 2000


def names_of(tenant_id: int, ids: Collection[str]) -> dict[str, str]:
    """Return the names that the inventory has for ids, in one statement.

    They are those of groups, directory roles, and policies that others refer to, also of such as
    were deleted in the tenant.
    """
    if not ids:
        return {}
    with connection.cursor() as cursor:
        ids = sorted(ids)[:MAX_IDS]
        cursor.execute(_NAMES, {"tenant": tenant_id, "ids": ids, "kinds": _KINDS})
        return dict(cursor.fetchall())
