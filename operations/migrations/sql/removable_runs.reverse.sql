CREATE OR REPLACE FUNCTION operation_runs_removable(run_ids bigint[]) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE retried AS (
        SELECT retry_of_id AS id FROM public.operation_runs
        WHERE status IN ('queued', 'running') AND retry_of_id IS NOT NULL
        UNION
        SELECT run.retry_of_id FROM public.operation_runs run JOIN retried ON run.id = retried.id
        WHERE run.retry_of_id IS NOT NULL
    )
    SELECT run.id FROM public.operation_runs run
    WHERE run.id = ANY (run_ids) AND run.status = 'completed'
      AND run.completed_at < clock_timestamp() - interval '1 day'
      AND run.id NOT IN (SELECT id FROM retried)
      AND CASE WHEN run.tenant_id IS NOT NULL THEN EXISTS (
          SELECT FROM public.operation_runs newer
          WHERE newer.tenant_id = run.tenant_id AND newer.type = run.type
            AND (newer.created_at, newer.id) > (run.created_at, run.id)
            AND (newer.outcome = 'succeeded' OR run.outcome <> 'succeeded'))
      ELSE EXISTS (
          SELECT FROM public.operation_runs newer
          WHERE newer.workspace_id = run.workspace_id AND newer.type = run.type
            AND newer.tenant_id IS NULL
            AND (newer.created_at, newer.id) > (run.created_at, run.id)
            AND (newer.outcome = 'succeeded' OR run.outcome <> 'succeeded'))
      END
    ORDER BY run.id
$$;
