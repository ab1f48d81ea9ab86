-- Events and tombstones are append-only, and only retention deletes events and items.
-- Statement triggers also reject a statement that matches no row.

CREATE FUNCTION operation_history_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is not allowed: the table is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER run_events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_run_events
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER run_items_delete_by_retention BEFORE DELETE OR TRUNCATE ON operation_run_items
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER runs_no_truncate BEFORE TRUNCATE ON operation_runs
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER tombstones_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_run_tombstones
    EXECUTE FUNCTION operation_history_reject();
