-- Items are added only during the preview, and items of an executed restore are never deleted.

CREATE FUNCTION restore_items_added_in_preview() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = NEW.restore_id AND status <> 'previewing') THEN
        RAISE EXCEPTION 'restore %: items can only be added during the preview', NEW.restore_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restore_items_added_in_preview BEFORE INSERT ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_added_in_preview();

CREATE FUNCTION restore_items_executed_not_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = OLD.restore_id AND executed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'restore item %: its restore was executed, so it cannot be deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER restore_items_executed_not_deleted BEFORE DELETE ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_executed_not_deleted();
