-- Items are written only while their set is being built: a late worker can't add to a finished set.

CREATE FUNCTION backup_items_require_building() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM backup_sets WHERE id = NEW.set_id AND status = 'building' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'backup set %: it is finished', NEW.set_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER items_require_building BEFORE INSERT OR UPDATE ON backup_items FOR EACH ROW
    EXECUTE FUNCTION backup_items_require_building();
