DROP TRIGGER restore_items_no_truncate ON restore_items;
DROP TRIGGER restores_no_truncate ON restore_runs;

DROP TRIGGER restore_items_are_kept ON restore_items;
CREATE FUNCTION restore_items_executed_not_deleted() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = OLD.restore_id AND executed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'restore item %: its restore was executed, so it cannot be deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER restore_items_executed_not_deleted BEFORE DELETE ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_executed_not_deleted();

DROP TRIGGER restores_are_kept ON restore_runs;
CREATE TRIGGER restores_executed_not_deleted BEFORE DELETE ON restore_runs FOR EACH ROW
    WHEN (OLD.executed_at IS NOT NULL)
    EXECUTE FUNCTION restores_reject('an executed restore cannot be deleted');
