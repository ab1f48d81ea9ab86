-- Only retention deletes runs or their details, and only of runs that have ended.

CREATE TRIGGER runs_active_not_deleted BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (OLD.status <> 'completed')
    EXECUTE FUNCTION operation_runs_reject('an active run cannot be deleted');

CREATE TRIGGER runs_delete_by_retention BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (current_setting('runledger.pruning', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION operation_runs_reject('only retention can delete runs');

CREATE TRIGGER runs_details_removed_once BEFORE UPDATE OF details_removed_at ON operation_runs
    FOR EACH ROW
    WHEN (OLD.details_removed_at IS DISTINCT FROM NEW.details_removed_at
          AND (OLD.details_removed_at IS NOT NULL OR OLD.status <> 'completed'
               OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on'))
    EXECUTE FUNCTION operation_runs_reject('only retention can remove details of ended runs, once');

CREATE FUNCTION operation_active_details_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM deleted JOIN operation_runs run ON run.id = deleted.run_id
               WHERE run.status <> 'completed') THEN
        RAISE EXCEPTION 'DELETE on % is not allowed: the run is active', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER run_events_of_active_not_deleted AFTER DELETE ON operation_run_events
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT
    EXECUTE FUNCTION operation_active_details_reject();

CREATE TRIGGER run_items_of_active_not_deleted AFTER DELETE ON operation_run_items
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT
    EXECUTE FUNCTION operation_active_details_reject();
