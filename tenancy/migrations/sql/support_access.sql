-- Support access begins now, for staff only, and ends by its time or by the user or an owner of the
-- workspace. Nothing about it is changed or removed afterward.

CREATE FUNCTION support_accesses_begin() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The owners see the name of the account, whatever the statement says.
    SELECT username INTO NEW.user_name FROM public.users
    WHERE id = NEW.user_id AND is_staff AND is_active;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'support_accesses: only active staff can get access'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.ended_at IS NOT NULL OR NEW.ended_by_id IS NOT NULL OR NEW.ended_by_name <> '' THEN
        RAISE EXCEPTION 'support_accesses: an access begins open'
            USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.created_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER support_accesses_begin BEFORE INSERT ON support_accesses FOR EACH ROW
    EXECUTE FUNCTION support_accesses_begin();

CREATE FUNCTION support_accesses_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Accounts can be deleted; their names stay.
    IF (OLD.id, OLD.workspace_id, OLD.user_name, OLD.reason, OLD.created_at, OLD.expires_at)
            IS DISTINCT FROM
            (NEW.id, NEW.workspace_id, NEW.user_name, NEW.reason, NEW.created_at, NEW.expires_at)
            OR NEW.user_id IS NOT NULL AND OLD.user_id IS DISTINCT FROM NEW.user_id
            OR OLD.ended_at IS NOT NULL AND (
                (OLD.ended_at, OLD.ended_by_name)
                    IS DISTINCT FROM (NEW.ended_at, NEW.ended_by_name)
                OR NEW.ended_by_id IS NOT NULL
                   AND OLD.ended_by_id IS DISTINCT FROM NEW.ended_by_id) THEN
        RAISE EXCEPTION 'support_accesses %: it cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL THEN
        IF NEW.ended_by_id IS NULL AND OLD.expires_at > clock_timestamp()
                OR NEW.ended_by_id IS NOT NULL
                   AND NEW.ended_by_id IS DISTINCT FROM OLD.user_id
                   AND NOT public.workspaces_is_owner(NEW.ended_by_id, OLD.workspace_id) THEN
            RAISE EXCEPTION 'support_accesses %: only the user or an owner can end it', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        NEW.ended_at := LEAST(clock_timestamp(), OLD.expires_at);
    ELSIF OLD.ended_at IS NULL AND (NEW.ended_by_id IS NOT NULL OR NEW.ended_by_name <> '') THEN
        RAISE EXCEPTION 'support_accesses %: it has not ended', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER support_accesses_guard BEFORE UPDATE ON support_accesses FOR EACH ROW
    EXECUTE FUNCTION support_accesses_guard();

CREATE FUNCTION support_accesses_keep() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'support_accesses: they are never deleted'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER support_accesses_keep BEFORE DELETE ON support_accesses FOR EACH ROW
    EXECUTE FUNCTION support_accesses_keep();

CREATE TRIGGER support_accesses_keep_all BEFORE TRUNCATE ON support_accesses
    EXECUTE FUNCTION support_accesses_keep();
