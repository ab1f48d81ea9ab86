-- The runs of a workspace that were requested in a quarter of an hour and have ended, by type and outcome,
-- for the charts of the overview. The statement that deletes the increment of a run adds the run here:
-- active runs, increments and these counts together are all runs, in every snapshot.

CREATE TRIGGER run_counts_are_counted
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON operation_run_counts
    FOR EACH STATEMENT EXECUTE FUNCTION operation_metrics_guard();

-- The function of `metrics.sql`, which also counts runs by quarters of an hour.
CREATE OR REPLACE FUNCTION operation_metrics_update(max_rows integer, slot_types text[], bounds float8[])
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    counted integer;
BEGIN
    WITH taken AS (
        DELETE FROM public.operation_metric_increments WHERE id = ANY (ARRAY(
            SELECT id FROM public.operation_metric_increments ORDER BY id
            LIMIT max_rows FOR UPDATE SKIP LOCKED))
        RETURNING kind, run_id, counters),
    run AS MATERIALIZED (
        SELECT taken.kind, run.workspace_id, run.type, run.outcome, run.failure_summary,
               run.created_at, run.published_at, run.started_at, run.completed_at,
               run.context ? 'scheduled_for' AND run.type = ANY (slot_types) AS is_of_slot
        FROM taken JOIN public.operation_runs run ON run.id = taken.run_id),
    seconds AS (
        SELECT stage.name, run.type, extract(epoch FROM stage.lasted)::float8 AS lasted
        FROM run CROSS JOIN LATERAL (VALUES
            ('run_publish_seconds', run.published_at - run.created_at),
            ('run_claim_seconds', run.started_at - coalesce(run.published_at, run.created_at)),
            ('run_work_seconds', run.completed_at - run.started_at)) AS stage(name, lasted)
        WHERE run.kind = 'run_ended' AND stage.lasted IS NOT NULL),
    increment (name, labels, value) AS (
        SELECT 'runs_ended', jsonb_build_object('type', type, 'outcome', outcome), 1
        FROM run WHERE kind = 'run_ended'
        UNION ALL
        SELECT 'runs_with_reason', jsonb_build_object('type', type, 'reason', reason.code), 1
        FROM run CROSS JOIN LATERAL (
            SELECT DISTINCT entry ->> 'code' AS code
            FROM jsonb_array_elements(run.failure_summary) AS entry) AS reason
        WHERE kind = 'run_ended' AND reason.code IS NOT NULL
        UNION ALL
        SELECT 'slots', jsonb_build_object('reason', CASE outcome WHEN 'blocked'
            THEN coalesce(failure_summary #>> '{0,code}', '?') ELSE '' END), 1
        FROM run WHERE is_of_slot
        UNION ALL
        SELECT name, jsonb_build_object('type', type, 'le', coalesce((
            SELECT min(bound)::text FROM unnest(bounds) AS bound WHERE lasted <= bound), '+Inf')), 1
        FROM seconds
        UNION ALL
        -- A later message, or a clock that was set back, makes a negative time.
        SELECT name || '_sum', jsonb_build_object('type', type), greatest(lasted, 0) FROM seconds
        UNION ALL
        SELECT entry.name, entry.labels, entry.value
        FROM taken CROSS JOIN LATERAL jsonb_to_recordset(taken.counters)
            AS entry(name text, labels jsonb, value float8)
        WHERE taken.kind = 'counters'
        UNION ALL
        SELECT kind, '{}'::jsonb, 1 FROM taken
        WHERE kind NOT IN ('run_ended', 'slot_repeated', 'counters')),
    added AS (
        INSERT INTO public.operation_metrics AS metric (name, labels, value)
        SELECT name, labels, sum(value) FROM increment GROUP BY name, labels ORDER BY name, labels
        ON CONFLICT (name, labels) DO UPDATE SET value = metric.value + excluded.value),
    added_run AS (
        INSERT INTO public.operation_run_counts AS counter (workspace_id, quarter, type, outcome, runs)
        SELECT workspace_id, date_bin('15 minutes', created_at, '2000-01-01Z'), type, outcome, count(*)
        FROM run WHERE kind = 'run_ended' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (workspace_id, quarter, type, outcome)
            DO UPDATE SET runs = counter.runs + excluded.runs)
    SELECT count(*) INTO counted FROM taken;
    -- Both must be old: a clock that is wrong for one tick removes nothing.
    DELETE FROM public.operation_run_counts WHERE quarter < least(
        now(), (SELECT max(quarter) FROM public.operation_run_counts)) - interval '2 days';
    RETURN counted;
END $$;

-- Count the runs of the last two days again. Ticks wait for it, but no run that ends does. 0019 calls it.
CREATE FUNCTION operation_run_counts_rebuild() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    since timestamptz := date_bin('15 minutes', now() - interval '2 days', '2000-01-01Z');
BEGIN
    LOCK TABLE public.operation_metrics IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM public.operation_run_counts;
    INSERT INTO public.operation_run_counts (workspace_id, quarter, type, outcome, runs)
    SELECT run.workspace_id, date_bin('15 minutes', run.created_at, '2000-01-01Z'), run.type,
           run.outcome, count(*)
    FROM public.workspaces workspace JOIN public.operation_runs run
        ON run.workspace_id = workspace.id AND run.created_at >= since
    WHERE run.status = 'completed' AND NOT EXISTS (
        SELECT FROM public.operation_metric_increments increment
        WHERE increment.kind = 'run_ended' AND increment.run_id = run.id)
    GROUP BY 1, 2, 3, 4;
END $$;

REVOKE ALL ON FUNCTION operation_run_counts_rebuild() FROM PUBLIC;
