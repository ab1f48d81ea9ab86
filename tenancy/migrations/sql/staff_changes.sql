-- What staff changed about owners and members is never changed or removed, except with its workspace.

ALTER TABLE staff_changes ADD CONSTRAINT staff_changes_workspace FOREIGN KEY (workspace_id)
    REFERENCES workspaces (id) ON DELETE CASCADE DEFERRABLE INITIALLY IMMEDIATE;

CREATE FUNCTION staff_changes_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.at := clock_timestamp();
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        -- Accounts can be deleted; their names stay.
        IF (OLD.id, OLD.workspace_id, OLD.at, OLD.text, OLD.user_name, OLD.changed_by_name)
                IS NOT DISTINCT FROM
                (NEW.id, NEW.workspace_id, NEW.at, NEW.text, NEW.user_name, NEW.changed_by_name)
                AND (NEW.user_id IS NULL OR OLD.user_id IS NOT DISTINCT FROM NEW.user_id)
                AND (NEW.changed_by_id IS NULL
                     OR OLD.changed_by_id IS NOT DISTINCT FROM NEW.changed_by_id) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF NOT EXISTS (SELECT FROM public.workspaces WHERE id = OLD.workspace_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'staff_changes: entries are kept as they are'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER staff_changes_guard BEFORE INSERT OR UPDATE OR DELETE ON staff_changes FOR EACH ROW
    EXECUTE FUNCTION staff_changes_guard();

CREATE TRIGGER staff_changes_no_truncate BEFORE TRUNCATE ON staff_changes
    EXECUTE FUNCTION staff_changes_guard();
