-- A service account is no person: it signs in nowhere, is no staff, and is no owner. It belongs to one
-- workspace, and stays a service account.
ALTER TABLE users ADD CONSTRAINT users_service_accounts_cannot_sign_in CHECK (
    NOT is_service_account
    OR NOT is_staff AND NOT is_superuser AND email = '' AND left(password, 1) = '!'
);

CREATE FUNCTION users_keep_kind() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'user %: a service account stays one, and no user becomes one', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER users_keep_kind BEFORE UPDATE OF is_service_account ON users FOR EACH ROW
    WHEN (OLD.is_service_account <> NEW.is_service_account)
    EXECUTE FUNCTION users_keep_kind();

CREATE FUNCTION memberships_of_service_accounts() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.users WHERE id = NEW.user_id AND is_service_account) THEN
        RETURN NEW;
    END IF;
    IF NEW.role = 'owner' THEN
        RAISE EXCEPTION 'a service account cannot be an owner' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM public.memberships
        WHERE user_id = NEW.user_id AND workspace_id <> NEW.workspace_id
    ) THEN
        RAISE EXCEPTION 'a service account belongs to one workspace'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER memberships_of_service_accounts
    BEFORE INSERT OR UPDATE OF user_id, workspace_id, role ON memberships FOR EACH ROW
    EXECUTE FUNCTION memberships_of_service_accounts();
