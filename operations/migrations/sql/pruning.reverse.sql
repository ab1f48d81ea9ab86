DROP FUNCTION operation_run_tombstones_delete(bigint, timestamptz, integer);
DROP FUNCTION operation_runs_remove(bigint[]);
DROP FUNCTION operation_runs_delete_details(bigint[], integer);
DROP FUNCTION operation_runs_mark_details_removed(bigint[]);
DROP FUNCTION operation_runs_removable(bigint[]);

CREATE OR REPLACE FUNCTION operation_history_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is not allowed: the table is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER runs_delete_by_retention ON operation_runs;
CREATE TRIGGER runs_delete_by_retention BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (current_setting('runledger.pruning', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION operation_runs_reject('only retention can delete runs');

DROP TRIGGER runs_details_removed_once ON operation_runs;
CREATE TRIGGER runs_details_removed_once BEFORE UPDATE OF details_removed_at ON operation_runs
    FOR EACH ROW
    WHEN (OLD.details_removed_at IS DISTINCT FROM NEW.details_removed_at
          AND (OLD.details_removed_at IS NOT NULL OR OLD.status <> 'completed'
               OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on'))
    EXECUTE FUNCTION operation_runs_reject('only retention can remove details of ended runs, once');

DROP FUNCTION operation_runs_are_pruned();
