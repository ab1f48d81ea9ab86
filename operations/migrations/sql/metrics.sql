-- What happens in the ledger is counted exactly once, and no counter ever decreases. A trigger adds an
-- increment in the transaction in which something happens. The tick deletes increments and adds them to
-- the counters in one statement. No transaction that ends a run waits for another one.

CREATE FUNCTION operation_metrics_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER')
       OR TG_TABLE_NAME = 'operation_metrics' AND TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION '% on % is not allowed: only the ledger counts', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER metrics_are_counted BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON operation_metrics
    FOR EACH STATEMENT EXECUTE FUNCTION operation_metrics_guard();
CREATE TRIGGER increments_are_counted
    BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_metric_increments
    FOR EACH STATEMENT EXECUTE FUNCTION operation_metrics_guard();

CREATE FUNCTION operation_metrics_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'metric %: its value cannot decrease', OLD.name
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER metrics_never_decrease BEFORE UPDATE ON operation_metrics FOR EACH ROW
    WHEN ((OLD.name, OLD.labels) IS DISTINCT FROM (NEW.name, NEW.labels) OR NEW.value < OLD.value)
    EXECUTE FUNCTION operation_metrics_reject();

-- Arguments: the kind of the increment. `operation_metrics_add_run` is for triggers of runs.
CREATE FUNCTION operation_metrics_add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.operation_metric_increments (kind) VALUES (TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE FUNCTION operation_metrics_add_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.operation_metric_increments (kind, run_id) VALUES (TG_ARGV[0], NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER counted_at_its_end AFTER UPDATE OF status ON operation_runs FOR EACH ROW
    WHEN (OLD.status <> 'completed' AND NEW.status = 'completed')
    EXECUTE FUNCTION operation_metrics_add_run('run_ended');
CREATE TRIGGER counted_as_blocked AFTER INSERT ON operation_runs FOR EACH ROW
    WHEN (NEW.status = 'completed') EXECUTE FUNCTION operation_metrics_add_run('run_ended');
-- A blocked run also stands for later slots.
CREATE TRIGGER counted_as_repeated_slot AFTER UPDATE OF context ON operation_runs FOR EACH ROW
    WHEN (OLD.context -> 'repeated' IS DISTINCT FROM NEW.context -> 'repeated')
    EXECUTE FUNCTION operation_metrics_add_run('slot_repeated');
CREATE TRIGGER counted_event AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = 'late_write_refused') EXECUTE FUNCTION operation_metrics_add('late_writes_refused');
CREATE TRIGGER counted_redelivery AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = 'published_again') EXECUTE FUNCTION operation_metrics_add('messages_republished');
CREATE TRIGGER counted_refusal AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = 'publish_refused') EXECUTE FUNCTION operation_metrics_add('messages_refused');

-- Record what a worker has counted: [{"name": …, "labels": {…}, "value": …}, …].
CREATE FUNCTION operation_metrics_record(counted jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF jsonb_typeof(counted) <> 'array' OR jsonb_array_length(counted) > 500
       OR pg_column_size(counted) > 65536 OR EXISTS (
        SELECT FROM jsonb_to_recordset(counted) AS entry(name text, labels jsonb, value float8)
        WHERE coalesce(name !~ '^[a-z_]{1,60}$' OR jsonb_typeof(labels) <> 'object'
                       OR NOT value BETWEEN 0 AND 1e12, true)) THEN
        RAISE EXCEPTION 'not a list of counters with labels and values that are not negative'
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO public.operation_metric_increments (kind, counters) VALUES ('counters', counted);
END $$;

-- Add up to `max_rows` increments to the counters; return how many. `slot_types` are the types whose
-- runs are of a slot, `bounds` the upper bounds of the buckets of seconds.
CREATE FUNCTION operation_metrics_update(max_rows integer, slot_types text[], bounds float8[])
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
        SELECT taken.kind, run.type, run.outcome, run.failure_summary, run.created_at,
               run.published_at, run.started_at, run.completed_at,
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
        ON CONFLICT (name, labels) DO UPDATE SET value = metric.value + excluded.value)
    SELECT count(*) INTO counted FROM taken;
    RETURN counted;
END $$;

REVOKE ALL ON FUNCTION
    operation_metrics_add(),
    operation_metrics_add_run(),
    operation_metrics_record(jsonb),
    operation_metrics_update(integer, text[], float8[])
FROM PUBLIC;

-- A run continues the trace in which it was requested.
ALTER TABLE operation_runs ADD CONSTRAINT runs_trace_parent_valid
    CHECK (trace_parent = '' OR trace_parent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;
CREATE TRIGGER runs_trace_is_fixed BEFORE UPDATE OF trace_parent ON operation_runs FOR EACH ROW
    WHEN (OLD.trace_parent IS DISTINCT FROM NEW.trace_parent)
    EXECUTE FUNCTION operation_runs_reject('its trace cannot be changed');
