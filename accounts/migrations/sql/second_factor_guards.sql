-- A code is used once: a recovery code never becomes unused, and the time step of an authenticator app
-- only grows. Otherwise who reads a code over a shoulder could use it again.

CREATE FUNCTION recovery_codes_check_update() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.used_at IS NOT NULL
        OR (OLD.user_id, OLD.code_hash, OLD.created_at)
            IS DISTINCT FROM (NEW.user_id, NEW.code_hash, NEW.created_at) THEN
        RAISE EXCEPTION 'recovery code %: it can only be used, once', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER recovery_codes_are_used_once BEFORE UPDATE ON recovery_codes
    FOR EACH ROW EXECUTE FUNCTION recovery_codes_check_update();

CREATE FUNCTION code_attempts_check_update() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.user_id <> OLD.user_id OR NEW.last_step < OLD.last_step THEN
        RAISE EXCEPTION 'user %: the time step of the last code cannot decrease', OLD.user_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.locked_until > clock_timestamp() AND NEW.locked_until IS DISTINCT FROM OLD.locked_until THEN
        RAISE EXCEPTION 'user %: a lock ends at its time', OLD.user_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER code_attempts_move_forward BEFORE UPDATE ON code_attempts
    FOR EACH ROW EXECUTE FUNCTION code_attempts_check_update();
