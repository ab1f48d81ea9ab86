-- The newest other runs are read from the end of an index. As “one of the newer runs exists”, a plan
-- read the whole table up to a newer run: the later a run, the longer.
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
      AND (run.created_at, run.id) < CASE WHEN run.tenant_id IS NOT NULL THEN (
          SELECT (newest.created_at, newest.id) FROM public.operation_runs newest
          WHERE newest.tenant_id = run.tenant_id AND newest.type = run.type
            AND (newest.outcome = 'succeeded' OR run.outcome <> 'succeeded')
          ORDER BY newest.created_at DESC, newest.id DESC LIMIT 1)
      ELSE (
          SELECT (newest.created_at, newest.id) FROM public.operation_runs newest
          WHERE newest.workspace_id = run.workspace_id AND newest.type = run.type
            AND newest.tenant_id IS NULL
            AND (newest.outcome = 'succeeded' OR run.outcome <> 'succeeded')
          ORDER BY newest.created_at DESC, newest.id DESC LIMIT 1)
      END
    ORDER BY run.id
$$;
