-- A sign-in link signs in the user for whom it was created, once and in time: no statement gives it to
-- another user, extends it or makes it usable again.
ALTER TABLE sign_in_links ADD CONSTRAINT sign_in_links_short
    CHECK (expires_at <= created_at + interval '1 hour 1 minute');

CREATE FUNCTION sign_in_links_keep_use() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (new.user_id, new.link_hash, new.created_at, new.expires_at)
        IS DISTINCT FROM (old.user_id, old.link_hash, old.created_at, old.expires_at) THEN
        RAISE EXCEPTION 'a sign-in link cannot be changed';
    END IF;
    IF old.used_at IS NOT NULL AND new.used_at IS DISTINCT FROM old.used_at THEN
        RAISE EXCEPTION 'a sign-in link has been used';
    END IF;
    RETURN new;
END;
$$;

CREATE TRIGGER sign_in_links_keep_use BEFORE UPDATE ON sign_in_links
FOR EACH ROW EXECUTE FUNCTION sign_in_links_keep_use();
