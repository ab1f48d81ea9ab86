-- A set is complete only if all its items are.

CREATE FUNCTION backup_sets_check_complete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM backup_items WHERE set_id = NEW.id AND NOT complete) THEN
        RAISE EXCEPTION 'backup set %: not all of its items are complete', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER sets_complete_has_complete_items BEFORE INSERT OR UPDATE OF status ON backup_sets
    FOR EACH ROW WHEN (NEW.status = 'complete')
    EXECUTE FUNCTION backup_sets_check_complete();
