-- What an access token may do is decided once. Its end is final: it ends when a user revokes it, or with
-- the membership or the account of its user, and no statement makes it usable again.

CREATE FUNCTION access_tokens_check_insert() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.revoked_at IS NOT NULL OR NEW.last_used_at IS NOT NULL THEN
        RAISE EXCEPTION 'a new access token is neither revoked nor used'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.expires_at > clock_timestamp() + interval '731 days' THEN
        RAISE EXCEPTION 'an access token expires within two years'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- The locks let a membership end either before the token is created, or with the token.
    PERFORM FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.user_id = NEW.user_id AND memberships.workspace_id = NEW.workspace_id
          AND users.is_active AND users.is_service_account = NEW.is_service
    FOR SHARE OF memberships, users;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an access token acts as a member of its workspace'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.is_service AND NOT EXISTS (
        SELECT FROM public.memberships
        WHERE user_id = NEW.created_by_id AND workspace_id = NEW.workspace_id AND role = 'owner'
    ) THEN
        RAISE EXCEPTION 'only owners create service tokens' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT NEW.is_service AND NEW.created_by_id IS DISTINCT FROM NEW.user_id THEN
        RAISE EXCEPTION 'only its user creates a personal access token'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER access_tokens_start_usable BEFORE INSERT ON access_tokens FOR EACH ROW
    EXECUTE FUNCTION access_tokens_check_insert();

CREATE FUNCTION access_tokens_check_update() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (to_jsonb(OLD) - ARRAY[
            'user_id', 'created_by_id', 'last_used_at', 'last_used_address', 'revoked_at',
            'revoked_by_id', 'revoked_by_name'])
        IS DISTINCT FROM (to_jsonb(NEW) - ARRAY[
            'user_id', 'created_by_id', 'last_used_at', 'last_used_address', 'revoked_at',
            'revoked_by_id', 'revoked_by_name'])
        -- The deletion of an account empties the columns that point to it.
        OR NEW.user_id IS DISTINCT FROM OLD.user_id AND NEW.user_id IS NOT NULL
        OR NEW.created_by_id IS DISTINCT FROM OLD.created_by_id AND NEW.created_by_id IS NOT NULL
    THEN
        RAISE EXCEPTION 'access token %: what it may do cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.revoked_at IS NOT NULL AND (
        (NEW.revoked_at, NEW.revoked_by_name) IS DISTINCT FROM (OLD.revoked_at, OLD.revoked_by_name)
        OR NEW.revoked_by_id IS DISTINCT FROM OLD.revoked_by_id AND NEW.revoked_by_id IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'access token %: it has been revoked', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.user_id IS NULL AND NEW.revoked_at IS NULL THEN
        NEW.revoked_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER access_tokens_never_change BEFORE UPDATE ON access_tokens FOR EACH ROW
    EXECUTE FUNCTION access_tokens_check_update();

CREATE FUNCTION access_tokens_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'access tokens are never deleted' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER access_tokens_keep_each BEFORE DELETE ON access_tokens FOR EACH ROW
    EXECUTE FUNCTION access_tokens_reject();
CREATE TRIGGER access_tokens_keep_all BEFORE TRUNCATE ON access_tokens
    EXECUTE FUNCTION access_tokens_reject();

CREATE FUNCTION access_tokens_end_with_membership() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.user_id, OLD.workspace_id) = (NEW.user_id, NEW.workspace_id) THEN
        RETURN NULL;
    END IF;
    UPDATE public.access_tokens SET revoked_at = clock_timestamp()
    WHERE user_id = OLD.user_id AND workspace_id = OLD.workspace_id AND revoked_at IS NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER access_tokens_end AFTER DELETE OR UPDATE OF user_id, workspace_id ON memberships
    FOR EACH ROW EXECUTE FUNCTION access_tokens_end_with_membership();

CREATE FUNCTION access_tokens_end_with_account() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.access_tokens SET revoked_at = clock_timestamp()
    WHERE user_id = OLD.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER access_tokens_end AFTER UPDATE OF is_active ON users FOR EACH ROW
    WHEN (OLD.is_active AND NOT NEW.is_active)
    EXECUTE FUNCTION access_tokens_end_with_account();

-- No browser is signed in as a service account.
CREATE FUNCTION sessions_of_persons() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.users WHERE id = NEW.user_id AND is_service_account) THEN
        RAISE EXCEPTION 'a service account has no session' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER sessions_of_persons BEFORE INSERT OR UPDATE OF user_id ON sessions FOR EACH ROW
    WHEN (NEW.user_id IS NOT NULL)
    EXECUTE FUNCTION sessions_of_persons();
