-- A session ends when it was meant to end, and belongs to the user who signed in: no statement extends
-- a session or hands it to another user.
CREATE FUNCTION sessions_keep_end() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (new.session_key, new.created_at) IS DISTINCT FROM (old.session_key, old.created_at) THEN
        RAISE EXCEPTION 'the key and the start of a session cannot be changed';
    END IF;
    IF new.expires_at > old.expires_at THEN
        RAISE EXCEPTION 'a session cannot be extended';
    END IF;
    IF old.user_id IS NOT NULL AND new.user_id IS DISTINCT FROM old.user_id THEN
        RAISE EXCEPTION 'a session cannot be given to another user';
    END IF;
    RETURN new;
END;
$$;

CREATE TRIGGER sessions_keep_end BEFORE UPDATE ON sessions
FOR EACH ROW EXECUTE FUNCTION sessions_keep_end();
