-- The items of an ended run never change, and no item moves to another run.

CREATE FUNCTION operation_items_require_active_run() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM written JOIN public.operation_runs run ON run.id = written.run_id
               WHERE run.status = 'completed') THEN
        RAISE EXCEPTION '% on % is not allowed: the run has ended', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER run_items_written_while_active AFTER INSERT ON operation_run_items
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT
    EXECUTE FUNCTION operation_items_require_active_run();

CREATE TRIGGER run_items_changed_while_active AFTER UPDATE ON operation_run_items
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT
    EXECUTE FUNCTION operation_items_require_active_run();

CREATE FUNCTION operation_items_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'item % of run %: its run and its key cannot be changed', OLD.id, OLD.run_id
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER run_items_identity_is_fixed BEFORE UPDATE OF id, run_id, key ON operation_run_items
    FOR EACH ROW WHEN ((OLD.id, OLD.run_id, OLD.key) IS DISTINCT FROM (NEW.id, NEW.run_id, NEW.key))
    EXECUTE FUNCTION operation_items_reject();
