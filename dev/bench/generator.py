"""Fills a database with the ledger of a large installation, by a few statements.

    generate(10_000_000)

Tenants, users, schedules and runs have the skew of a real installation: a few tenants have most of
the runs, nearly all runs come in a burst each night, nearly all succeed, and some outcomes, types
and initiators are rare. Only the owner of the tables can do it, because the guards are off during
the load. Rows of the same size are the same in each database, except for their times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

WORKSPACES = 5
TENANTS = 2_800
NIGHTS = 30
USERS = 20
BATCH = 500_000
#: From this number of runs on, building the indexes after the load takes less time.
REBUILT_FROM = 50_000
TABLES = (
    "workspaces", "users", "memberships", "tenants", "backup_schedules", "operation_incidents",
    "operation_runs", "backup_sets", "policy_changes", "audit_entries",
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """How many rows to create."""

    runs: int
    tenants: int = TENANTS

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "runs": self.runs,
            "tenants": self.tenants,
            "workspaces": WORKSPACES,
            "users": USERS,
            "nights": dt.timedelta(days=NIGHTS),
        }


# The largest workspace has three of five tenants, the smallest one in a hundred.
_PEOPLE = """
INSERT INTO workspaces (name, slug, timezone, restores_need_approval, created_at)
SELECT 'Bench ' || n, 'bench-' || n, 'UTC', false, now() FROM generate_series(1, %(workspaces)s) n;

INSERT INTO users (username, password, first_name, last_name, email, is_staff, is_superuser,
                   is_active, date_joined)
SELECT 'bench-user-' || n, '', 'Bench', 'User ' || n, '', n = 1, n = 1, true, now()
FROM generate_series(1, %(users)s) n;

INSERT INTO memberships (user_id, workspace_id, role, created_at)
SELECT users.id, workspaces.id,
       CASE WHEN username = 'bench-user-1' THEN 'owner' ELSE 'operator' END, now()
FROM users, workspaces
WHERE users.username LIKE 'bench-user-%%' AND workspaces.slug LIKE 'bench-%%';

INSERT INTO tenants (workspace_id, name, external_id, status, created_at)
SELECT (SELECT id FROM workspaces WHERE slug = 'bench-' || CASE
            WHEN n %% 100 < 60 THEN 1 WHEN n %% 100 < 85 THEN 2 WHEN n %% 100 < 95 THEN 3
            WHEN n %% 100 < 99 THEN 4 ELSE 5 END),
       'Tenant ' || to_char(n, 'FM0000') || ' ' || (ARRAY['Contoso', 'Fabrikam', 'Northwind',
            'Litware', 'Adatum', 'Tailspin', 'Wingtip', 'Proseware'])[n %% 8 + 1],
       gen_random_uuid(), 'active', now() - interval '90 days'
FROM generate_series(1, %(tenants)s) n;

-- References are checked by scanning a table that was empty when the check was planned.
ANALYZE tenants;

-- Most schedules have the same name; one in ten has that of its tenant.
INSERT INTO backup_schedules (workspace_id, tenant_id, name, cron, timezone, kinds,
    retention_keep_sets, retention_keep_days, misfire_policy, misfire_grace, settled_until,
    next_run_at, pause_reason, created_at, updated_at)
SELECT workspace_id, id, CASE WHEN id %% 10 = 0 THEN name ELSE 'Nightly' END, '0 2 * * *', 'UTC',
    ARRAY['device_configuration'], 30, 90, 'fire_latest', interval '12 hours', now(),
    now() + interval '1 day', '', now() - interval '90 days', now()
FROM tenants WHERE name LIKE 'Tenant %%';

CREATE TABLE bench_tenants AS
SELECT row_number() OVER (ORDER BY tenants.name) - 1 AS place, tenants.id, tenants.workspace_id,
       backup_schedules.id AS schedule_id, backup_schedules.name AS schedule
FROM tenants JOIN backup_schedules ON backup_schedules.tenant_id = tenants.id
WHERE tenants.name LIKE 'Tenant %%';

CREATE UNIQUE INDEX ON bench_tenants (place);
"""

# Each row draws its tenant, its type, its outcome and so on. A slot must be unique: one a minute.
_RUNS = """
INSERT INTO operation_runs (workspace_id, tenant_id, user_id, initiator_name, type, status, outcome,
    run_identity_hash, summary_counts, failure_summary, cause, context, created_at, updated_at,
    started_at, completed_at, heartbeat_at, worker, publish_attempts, published_at,
    acknowledged_at, recovered_at, recovered_by_id)
SELECT workspace_id, CASE WHEN is_of_workspace THEN NULL ELSE tenant_id END,
    CASE WHEN is_of_user THEN user_id END,
    CASE WHEN type = 'backup_schedule.scheduled' THEN 'Schedule: ' || schedule
         WHEN is_of_user THEN 'Bench User ' || user_place
         WHEN type = 'backup_schedule.retry' THEN 'Reconciler'
         WHEN type = 'operations.prune' THEN 'Retention' ELSE 'System' END,
    type, 'completed', outcome,
    encode(sha256(convert_to(tenant_id || type, 'UTF8')), 'hex'),
    jsonb_build_object('total', 60, 'processed', 60, 'succeeded', 60 - failed, 'failed', failed,
                       'skipped', 0),
    CASE WHEN is_problem THEN jsonb_build_array(jsonb_build_object('code', code, 'message',
        'The request failed.', 'count', 1, 'first_at', created_at)) ELSE '[]' END,
    CASE WHEN is_problem THEN code || CASE WHEN code = 'permission_missing'
        THEN ':Scope.' || tenant_id %% 20 ELSE '' END ELSE '' END,
    jsonb_build_object('idempotency', jsonb_build_object('schedule', schedule_id)) || CASE
        WHEN type LIKE 'backup_schedule.%%' THEN jsonb_build_object(
            'backup_schedule_id', schedule_id, 'scheduled_for',
            to_char(now() - (%(runs)s - n) * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI"Z"'))
        ELSE '{}' END,
    created_at, created_at + waited + took, CASE WHEN outcome <> 'blocked' THEN created_at + waited END,
    created_at + waited + took, CASE WHEN outcome <> 'blocked' THEN created_at + waited END,
    CASE WHEN outcome <> 'blocked' THEN 'worker-' || n %% 8 ELSE '' END, 1, created_at,
    CASE WHEN is_problem AND n %% 7 = 0 THEN created_at + interval '1 hour' END,
    CASE WHEN is_problem AND is_recovered THEN created_at + interval '1 day' END,
    CASE WHEN is_problem AND is_recovered THEN n END
FROM (SELECT drawn.*, bench_tenants.id AS tenant_id, workspace_id, schedule_id, schedule,
        outcome IN ('failed', 'partially_succeeded', 'blocked') AS is_problem,
        CASE WHEN outcome = 'partially_succeeded' THEN 3 WHEN outcome = 'failed' THEN 60 ELSE 0 END
            AS failed,
        type IN ('operations.prune', 'workspace.inventory_sync') AS is_of_workspace,
        type NOT IN ('backup_schedule.scheduled', 'backup_schedule.retry', 'operations.prune',
                     'provider_connection.check') AND chance_of_user < 0.05 AS is_of_user,
        (SELECT id FROM users WHERE username = 'bench-user-' || user_place) AS user_id,
        greatest(interval '20 milliseconds', -ln(1 - chance_of_time) * expected) AS took,
        chance_of_wait * interval '30 seconds' AS waited
    FROM (SELECT n, type_of.type, type_of.expected,
            now() - %(nights)s + (floor((n - 1) * 30.0 / %(runs)s) + CASE
                WHEN share < 0.02 THEN share / 0.02 / 24
                WHEN share < 0.72 THEN (1 + (share - 0.02) / 0.7 * 3) / 24
                ELSE (4 + (share - 0.72) / 0.28 * 20) / 24 END) * interval '1 day' AS created_at,
            floor(%(tenants)s * power(random(), 1.5)) AS place,
            1 + floor(%(users)s * power(random(), 2)) AS user_place,
            CASE WHEN result < 0.9649 THEN 'succeeded' WHEN result < 0.9799 THEN 'partially_succeeded'
                 WHEN result < 0.9919 THEN 'failed' WHEN result < 0.9999 THEN 'blocked'
                 ELSE 'cancelled' END AS outcome,
            (ARRAY['permission_missing', 'throttled', 'graph_unavailable', 'credential_expired',
                   'previous_run_active', 'worker_lost', 'missed', 'consent_missing'])
                [1 + floor(8 * power(random(), 2))] AS code,
            random() AS chance_of_time, random() AS chance_of_user, random() AS chance_of_wait,
            random() < 0.98 AS is_recovered
        FROM (SELECT n, random() AS kind, random() AS result,
                     ((n - 1) * 30.0 / %(runs)s) %% 1 AS share
              FROM generate_series(%(first)s, %(last)s) n) numbered
        JOIN (VALUES
            ('backup_schedule.scheduled', 0.0, 0.55, interval '90 seconds'),
            ('inventory.sync', 0.55, 0.75, interval '40 seconds'),
            ('directory_groups.sync', 0.75, 0.87, interval '30 seconds'),
            ('directory_role_definitions.sync', 0.87, 0.93, interval '10 seconds'),
            ('provider_connection.check', 0.93, 0.97, interval '2 seconds'),
            ('backup_schedule.run_now', 0.97, 0.98, interval '90 seconds'),
            ('backup_schedule.retry', 0.98, 0.99, interval '90 seconds'),
            ('backup_set.add_policies', 0.99, 0.994, interval '20 seconds'),
            ('workspace.inventory_sync', 0.994, 0.997, interval '5 minutes'),
            ('policy.export', 0.997, 0.999, interval '15 seconds'),
            ('restore.preview', 0.999, 0.9996, interval '30 seconds'),
            ('operations.prune', 0.9996, 0.9998, interval '1 minute'),
            ('restore.execute', 0.9998, 1.0, interval '2 minutes'))
            AS type_of(type, above, below, expected) ON kind >= above AND kind < below
    ) drawn JOIN bench_tenants USING (place)
) run ORDER BY n
"""

# A few runs are active: one of each identity.
_ACTIVE = """
UPDATE operation_runs SET status = CASE WHEN id %% 3 = 0 THEN 'queued' ELSE 'running' END,
    outcome = 'pending', completed_at = NULL, recovered_at = NULL, recovered_by_id = NULL,
    acknowledged_at = NULL, cause = '', failure_summary = '[]',
    started_at = CASE WHEN id %% 3 = 0 THEN NULL ELSE COALESCE(started_at, created_at) END,
    heartbeat_at = CASE WHEN id %% 3 = 0 THEN NULL ELSE now() END
WHERE id IN (SELECT max(id) FROM operation_runs
             WHERE id > (SELECT max(id) - 2000 FROM operation_runs)
             GROUP BY workspace_id, tenant_id, run_identity_hash ORDER BY 1 DESC LIMIT 200)
"""
# Only the last problem of an identity needs attention, and a few are assigned.
_SUPERSEDED = """
UPDATE operation_runs run SET superseded_by_id = latest.id
FROM (SELECT run_identity_hash, max(id) AS id FROM operation_runs
      WHERE outcome IN ('failed', 'partially_succeeded', 'blocked') AND recovered_at IS NULL
      GROUP BY 1) latest
WHERE run.run_identity_hash = latest.run_identity_hash AND run.id < latest.id
  AND run.outcome IN ('failed', 'partially_succeeded', 'blocked') AND run.recovered_at IS NULL;

UPDATE operation_runs SET assigned_to_id = (SELECT id FROM users WHERE username = 'bench-user-1')
WHERE acknowledged_at IS NOT NULL AND id %% 10 = 0;
"""
_INCIDENTS = """
INSERT INTO operation_incidents (workspace_id, cause, number, since, created_at, closed_at,
    close_reason, first_run_at, last_run_at)
SELECT workspace_id, cause, row_number() OVER (PARTITION BY workspace_id, cause ORDER BY night),
       first_at, first_at, CASE WHEN night < 29 THEN last_at END,
       CASE WHEN night < 29 THEN 'acknowledged' ELSE '' END, first_at, last_at
FROM (SELECT workspace_id, cause, extract(day FROM completed_at - (now() - %(nights)s)) AS night,
             min(completed_at) AS first_at, max(completed_at) AS last_at
      FROM operation_runs WHERE cause <> '' AND completed_at < now() GROUP BY 1, 2, 3) nights
WHERE night < 29 OR night = 29;

UPDATE operation_runs run SET incident_id = incident.id FROM operation_incidents incident
WHERE run.workspace_id = incident.workspace_id AND run.cause = incident.cause AND run.cause <> ''
  AND run.completed_at BETWEEN incident.first_run_at AND incident.last_run_at;
"""
_SETS = """
INSERT INTO backup_sets (workspace_id, tenant_id, schedule_id, operation_run_id, purpose, name,
    status, kinds, listed_kinds, started_at, ended_at)
SELECT run.workspace_id, run.tenant_id, (run.context->>'backup_schedule_id')::bigint, run.id,
       'schedule', '', CASE WHEN run.outcome = 'succeeded' THEN 'complete' ELSE 'incomplete' END,
       ARRAY['device_configuration'], ARRAY['device_configuration'], run.started_at, run.completed_at
FROM operation_runs run
WHERE run.type = 'backup_schedule.scheduled' AND run.started_at IS NOT NULL
  AND run.completed_at IS NOT NULL AND (%(runs)s <= 200000 OR run.id %% 10 = 0);

ANALYZE backup_sets;

INSERT INTO policy_changes (workspace_id, tenant_id, backup_set_id, item_id, before_id, change, kind,
    graph_id, name, fields, field_count, content_hash, author, changed_at, author_gap, created_at)
SELECT workspace_id, tenant_id, id, CASE WHEN id %% 1009 > 0 THEN id END, id,
       CASE WHEN id %% 1009 > 0 THEN 'changed' ELSE 'removed' END,
       CASE WHEN id %% 997 > 0 THEN 'device_configuration' ELSE 'named_location' END,
       'graph-' || id %% 5000, 'Policy ' || id %% 5000,
       CASE WHEN id %% 1009 > 0 THEN '["name"]'::jsonb ELSE '[]' END,
       CASE WHEN id %% 1009 > 0 THEN 1 ELSE 0 END, CASE WHEN id %% 1009 > 0 THEN repeat('0', 64) ELSE '' END,
       CASE WHEN id %% 3 = 0 THEN 'admin' || id %% 50 || '@example.com' ELSE '' END,
       CASE WHEN id %% 3 = 0 THEN started_at END, CASE WHEN id %% 3 = 0 THEN '' ELSE 'not_logged' END,
       ended_at
FROM backup_sets;

DROP TABLE bench_tenants;
"""
# One change for every ten runs; nearly all are of schedules, and some kinds are rare.
_AUDIT = """
INSERT INTO audit_entries (created_at, action, object_type, object_id, object_name, part,
    workspace_id, tenant_id, user_id, user_name, origin, address, reference, database_role,
    changes, details)
SELECT now() - (%(runs)s / 10 - n) * %(nights)s / (%(runs)s / 10),
       CASE WHEN n %% 4999 = 0 THEN 'deleted' ELSE 'updated' END,
       CASE WHEN n %% 4001 = 0 THEN 'memberships' ELSE 'backup_schedules' END,
       (n %% 5000)::text, 'Schedule ' || n %% 5000, '', workspace_id, tenants.id, users.id,
       users.username, 'page', '192.0.2.1'::inet + n %% 100, md5(n::text), 'runledger',
       '{"cron": ["0 2 * * *", "0 3 * * *"]}', '{}'
FROM generate_series(1, %(runs)s / 10) n
JOIN (SELECT row_number() OVER (ORDER BY id) - 1 AS place, id, workspace_id FROM tenants
      WHERE name LIKE 'Tenant %%') tenants ON tenants.place = n %% 100
JOIN users ON users.username = 'bench-user-' || 1 + n %% 20
ORDER BY n
"""


def generate(runs: int, *, tenants: int = TENANTS) -> None:
    """Create the rows of a ledger, from workspaces to entries of the audit log.

    The users are operators of all workspaces; `bench-user-1` is an owner and a superuser.
    """
    scale = Scale(runs, tenants)
    with transaction.atomic(), _without_triggers():
        _execute("SELECT setseed(0.5)", scale)
        _execute(_PEOPLE, scale)
        _execute("ANALYZE tenants, backup_schedules, bench_tenants", scale)
    with _without_indexes(runs):
        for first in range(1, runs + 1, BATCH):
            with transaction.atomic(), _without_triggers():
                _execute(_RUNS, scale, first=first, last=min(first + BATCH - 1, runs))
    with transaction.atomic(), _without_triggers():
        _execute("ANALYZE operation_runs", scale)
        _execute(_ACTIVE, scale)
        _execute(_SUPERSEDED, scale)
        _execute(_INCIDENTS, scale)
        _execute(_SETS, scale)
        _execute(_AUDIT, scale)
        # What triggers would have written.
        _execute("SELECT operation_run_counts_rebuild()", scale)
        _execute("SELECT backup_freshness_update(ARRAY(SELECT id FROM tenants))", scale)
    _execute(f"ANALYZE {', '.join(TABLES)}, operation_run_counts, backup_freshness", scale)


def _execute(statements: str, scale: Scale, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        for statement in statements.split(";\n"):
            if statement.strip():
                cursor.execute(statement, {**scale.parameters, **parameters})


@contextmanager
def _without_triggers() -> Iterator[None]:
    """Switch the guards of the tables off inside the transaction, and the checks of references."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        (is_superuser,) = cursor.fetchone()
        if is_superuser:
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            cursor.execute("SET LOCAL session_replication_role = origin")
            return
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@contextmanager
def _without_indexes(runs: int) -> Iterator[None]:
    """Drop the indexes of the runs while many rows are loaded, and build them after that."""
    if runs < REBUILT_FROM:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'operation_runs'"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        for _, definition in indexes:
            cursor.execute(definition)
