"""What the backups of the fleet would have recorded: the changes of each set, and their authors."""

from __future__ import annotations

from django.db import connection

from tenancy.models import Workspace

#: The connections of one tenant in this many may not read the audit log of Entra ID.
TENANTS_PER_GAP = 5

_COMPARE = """
CREATE TEMP TABLE fleet_compared ON COMMIT DROP AS
SELECT id, tenant_id, ended_at, CASE WHEN status <> 'failed' THEN backup_sets_earlier(id) END
       AS earlier_id
FROM backup_sets WHERE workspace_id = %(workspace)s AND status <> 'building';
CREATE TEMP TABLE fleet_differences ON COMMIT DROP AS
SELECT compared.id AS set_id, compared.earlier_id, compared.tenant_id, compared.ended_at, each.*
FROM fleet_compared compared
CROSS JOIN LATERAL backup_sets_compare(compared.id, compared.earlier_id) each
WHERE compared.earlier_id IS NOT NULL
"""
_COUNTS = """
UPDATE backup_sets SET compared_at = compared.ended_at, compared_with_id = compared.earlier_id,
       created_count = CASE WHEN earlier_id IS NOT NULL THEN counted.created END,
       changed_count = CASE WHEN earlier_id IS NOT NULL THEN counted.changed END,
       removed_count = CASE WHEN earlier_id IS NOT NULL THEN counted.removed END
FROM fleet_compared compared
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE change = 'created') AS created,
           count(*) FILTER (WHERE change = 'changed') AS changed,
           count(*) FILTER (WHERE change = 'removed') AS removed
    FROM fleet_differences WHERE set_id = compared.id) counted
WHERE backup_sets.id = compared.id
"""
# A state of an object is recorded once, by the first set that contains it.
_CHANGES = """
INSERT INTO policy_changes (
    workspace_id, tenant_id, backup_set_id, previous_set_id, item_id, before_id, change, kind,
    graph_id, name, content_hash, created_at, fields, field_count, author, changed_at, author_gap)
SELECT %(workspace)s, new.tenant_id, new.set_id, new.earlier_id, new.item_id, new.before_id,
       new.change, new.kind, new.graph_id, new.name, new.content_hash, new.ended_at,
       CASE WHEN new.change <> 'changed' THEN '[]'::jsonb
            WHEN new.kind = 'conditional_access' THEN '["state"]' ELSE '["displayName"]' END,
       CASE WHEN new.change = 'changed' THEN 1 ELSE 0 END,
       CASE WHEN known.author IS NULL THEN '' ELSE known.author END,
       CASE WHEN known.author IS NOT NULL THEN item.last_modified_at END,
       CASE WHEN known.author IS NOT NULL THEN ''
            WHEN item.id IS NULL THEN 'not_logged' ELSE 'permission' END
FROM (
    SELECT *, lag(content_hash) OVER (PARTITION BY tenant_id, kind, graph_id
                                      ORDER BY ended_at, set_id) AS before_hash
    FROM fleet_differences) new
JOIN tenants tenant ON tenant.id = new.tenant_id
LEFT JOIN backup_items item ON item.id = new.item_id
LEFT JOIN LATERAL (
    SELECT (ARRAY['dana.reyes', 'kim.olsen', 'lee.brandt'])[1 + new.tenant_id %% 3] || '@'
           || lower(regexp_replace(tenant.name, '[^A-Za-z]+', '-', 'g')) || '.example' AS author
    WHERE item.last_modified_at IS NOT NULL AND NOT (
        new.kind IN ('conditional_access', 'named_location') AND new.tenant_id %% %(per_gap)s = 0)
) known ON true
WHERE new.before_hash IS DISTINCT FROM new.content_hash
ORDER BY new.ended_at, new.set_id, new.kind, new.name
"""


def record_past_changes(workspace: Workspace) -> None:
    """Compare every set of the fleet with the one before it."""
    values = {"workspace": workspace.pk, "per_gap": TENANTS_PER_GAP}
    with connection.cursor() as cursor:
        for sql in (_COMPARE, _COUNTS, _CHANGES):
            cursor.execute(sql, values)
