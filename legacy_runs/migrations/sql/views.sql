-- Lists read legacy runs from legacy_run_entries, and runs and legacy runs together from run_entries.
-- run_entries has no condition on operation_run_id, which would keep PostgreSQL from using the
-- indexes of the four tables: queries exclude mapped rows themselves (`without_a_run`).

CREATE VIEW legacy_run_entries AS
SELECT id * 4 + 1 AS id, 'inventory_sync_run'::varchar AS kind, id AS own_id, workspace_id,
       tenant_id, ''::varchar AS type, status, ''::varchar AS outcome, operation_run_id,
       was_operation_run_id, created_at, started_at, finished_at
FROM inventory_sync_runs
UNION ALL
SELECT id * 4 + 2 AS id, 'entra_group_sync_run'::varchar AS kind, id AS own_id, workspace_id,
       tenant_id, ''::varchar AS type, status, ''::varchar AS outcome, operation_run_id,
       was_operation_run_id, created_at, started_at, finished_at
FROM entra_group_sync_runs
UNION ALL
SELECT id * 4 + 3 AS id, 'backup_schedule_run'::varchar AS kind, id AS own_id, workspace_id,
       tenant_id, ''::varchar AS type, status, ''::varchar AS outcome, operation_run_id,
       was_operation_run_id, created_at, started_at, finished_at
FROM backup_schedule_runs;

CREATE VIEW run_entries AS
    SELECT id * 4 AS id, 'run'::varchar AS kind, id AS own_id, workspace_id, tenant_id, type,
           status, outcome, NULL::bigint AS operation_run_id, NULL::bigint AS was_operation_run_id,
           created_at, started_at, completed_at AS finished_at,
           user_id, initiator_name, acknowledged_at
    FROM operation_runs
    UNION ALL
    SELECT id, kind, own_id, workspace_id, tenant_id, type, status,
           outcome, operation_run_id, was_operation_run_id,
           created_at, started_at, finished_at,
           NULL::bigint, ''::varchar, NULL::timestamptz
    FROM legacy_run_entries;
