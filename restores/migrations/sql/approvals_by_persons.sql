-- A service account approves nothing, and who created one does not approve what it requests: the token
-- of a service account is no second person.

CREATE OR REPLACE FUNCTION restores_may_approve(person bigint, workspace bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The locks keep the role and the account as they are until the transaction ends.
    PERFORM FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.user_id = person AND memberships.workspace_id = workspace
          AND memberships.role IN ('manager', 'owner') AND users.is_active
          AND NOT users.is_service_account
          AND memberships.role_since <= clock_timestamp() - interval '24 hours'
    FOR SHARE OF memberships, users;
    RETURN FOUND;
END $$;

CREATE FUNCTION restores_approver_has_no_token() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.access_tokens
        WHERE is_service AND user_id = NEW.requested_by_id AND created_by_id = NEW.approved_by_id
    ) THEN
        RAISE EXCEPTION 'restore_runs %: its approver created the token that requested it', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restores_approver_has_no_token
    BEFORE UPDATE OF approved_by_id ON restore_runs FOR EACH ROW
    WHEN (NEW.approved_by_id IS NOT NULL)
    EXECUTE FUNCTION restores_approver_has_no_token();
