-- Only retention deletes runs or their details, and only of runs that have ended.

CREATE TRIGGER runs_active_is_kept BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (OLD.status <> 'completed')
    EXECUTE FUNCTION operation_runs_refuse('an active run is never deleted');

CREATE TRIGGER runs_delete_is_pruning BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (current_setting('runledger.pruning', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION operation_runs_refuse('only retention deletes runs');

CREATE TRIGGER runs_details_go_once BEFORE UPDATE OF details_removed_at ON operation_runs
    FOR EACH ROW
    WHEN (OLD.details_removed_at IS DISTINCT FROM NEW.details_removed_at
          AND (OLD.details_removed_at IS NOT NULL OR OLD.status <> 'completed'
               OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on'))
    EXECUTE FUNCTION operation_runs_refuse('only retention removes details, once, of ended runs');

CREATE FUNCTION operation_details_of_active_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone JOIN operation_runs run ON run.id = gone.run_id
               WHERE run.status <> 'completed') THEN
        RAISE EXCEPTION 'DELETE on % is refused: the run is active', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER run_events_of_active_are_kept AFTER DELETE ON operation_run_events
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION operation_details_of_active_refuse();

CREATE TRIGGER run_items_of_active_are_kept AFTER DELETE ON operation_run_items
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION operation_details_of_active_refuse();
