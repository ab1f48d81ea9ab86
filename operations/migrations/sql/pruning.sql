-- Only these functions delete runs, their details and tombstones. They run as the owner of the tables
-- and check each run themselves: that it ended at least a day ago, that no active run retries it, and
-- that it is neither the newest run nor the newest success of its tenant and type.

-- Whether one of these functions is deleting. The setting alone allows nothing: the current user must
-- be the owner of the tables, as it is inside the functions.
CREATE FUNCTION operation_runs_are_pruned() RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(current_setting('runledger.pruning', true) = 'on', false)
       AND pg_has_role(current_user, relowner, 'MEMBER')
    FROM pg_class WHERE oid = 'public.operation_runs'::regclass
$$;

CREATE OR REPLACE FUNCTION operation_history_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'DELETE' OR NOT public.operation_runs_are_pruned() THEN
        RAISE EXCEPTION '% on % is not allowed: the table is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER runs_delete_by_retention ON operation_runs;
CREATE TRIGGER runs_delete_by_retention BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION operation_runs_reject('only retention can delete runs');

DROP TRIGGER runs_details_removed_once ON operation_runs;
CREATE TRIGGER runs_details_removed_once BEFORE UPDATE OF details_removed_at ON operation_runs
    FOR EACH ROW
    WHEN (OLD.details_removed_at IS DISTINCT FROM NEW.details_removed_at
          AND (OLD.details_removed_at IS NOT NULL OR OLD.status <> 'completed'
               OR NOT operation_runs_are_pruned()))
    EXECUTE FUNCTION operation_runs_reject('only retention can remove details of ended runs, once');

CREATE FUNCTION operation_runs_removable(run_ids bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
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

-- Mark the details of runs as removed; return the runs whose details may be deleted.
CREATE FUNCTION operation_runs_mark_details_removed(run_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    removable bigint[] := ARRAY(SELECT public.operation_runs_removable(run_ids));
BEGIN
    UPDATE public.operation_runs SET details_removed_at = clock_timestamp()
    WHERE id = ANY (removable) AND details_removed_at IS NULL;
    RETURN removable;
END $$;

-- Delete up to `max_rows` items and events of runs whose details are marked as removed.
CREATE FUNCTION operation_runs_delete_details(run_ids bigint[], max_rows integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    marked bigint[] := ARRAY(SELECT id FROM public.operation_runs WHERE id = ANY (run_ids)
                             AND status = 'completed' AND details_removed_at IS NOT NULL);
    items integer;
    events integer;
BEGIN
    DELETE FROM public.operation_run_items WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.operation_run_items WHERE run_id = ANY (marked) LIMIT max_rows));
    GET DIAGNOSTICS items = ROW_COUNT;
    DELETE FROM public.operation_run_events WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.operation_run_events WHERE run_id = ANY (marked)
        LIMIT max_rows - items));
    GET DIAGNOSTICS events = ROW_COUNT;
    RETURN items + events;
END $$;

-- Replace runs whose details are marked as removed by tombstones; references to them become NULL.
CREATE FUNCTION operation_runs_remove(run_ids bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    removable bigint[] := ARRAY(
        SELECT run.id FROM public.operation_runs_removable(run_ids) AS removable (id)
        JOIN public.operation_runs run ON run.id = removable.id
        WHERE run.details_removed_at IS NOT NULL ORDER BY run.id);
    reference record;
    removed integer;
BEGIN
    INSERT INTO public.operation_run_tombstones (id, workspace_id, tenant_id, type, outcome, counts,
        created_at, completed_at, pruned_at)
    SELECT id, workspace_id, tenant_id, type, outcome, summary_counts - 'meta', created_at,
           completed_at, clock_timestamp()
    FROM public.operation_runs WHERE id = ANY (removable);
    DELETE FROM public.operation_run_items WHERE run_id = ANY (removable);
    DELETE FROM public.operation_run_events WHERE run_id = ANY (removable);
    -- Every optional reference of any app, unless its own foreign key clears it.
    FOR reference IN
        SELECT key.conrelid::regclass AS table_name, attribute.attname AS column_name
        FROM pg_constraint key JOIN pg_attribute attribute
            ON attribute.attrelid = key.conrelid AND attribute.attnum = key.conkey[1]
        WHERE key.confrelid = 'public.operation_runs'::regclass AND key.contype = 'f'
          AND key.confdeltype = 'a' AND NOT attribute.attnotnull
    LOOP
        EXECUTE format('UPDATE %1$s SET %2$I = NULL WHERE %2$I = ANY ($1)',
                       reference.table_name, reference.column_name) USING removable;
    END LOOP;
    DELETE FROM public.operation_runs WHERE id = ANY (removable);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

-- Delete up to `max_rows` tombstones of runs that were removed before a time, at least a day ago.
CREATE FUNCTION operation_run_tombstones_delete(
    workspace bigint, before timestamptz, max_rows integer
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.operation_run_tombstones WHERE id = ANY (ARRAY(
        SELECT id FROM public.operation_run_tombstones
        WHERE workspace_id = workspace
          AND pruned_at < least(before, clock_timestamp() - interval '1 day') LIMIT max_rows));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION
    operation_runs_mark_details_removed(bigint[]),
    operation_runs_delete_details(bigint[], integer),
    operation_runs_remove(bigint[]),
    operation_run_tombstones_delete(bigint, timestamptz, integer)
FROM PUBLIC;
