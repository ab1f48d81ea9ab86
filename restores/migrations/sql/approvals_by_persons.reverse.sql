DROP TRIGGER restores_approver_has_no_token ON restore_runs;
DROP FUNCTION restores_approver_has_no_token();
CREATE OR REPLACE FUNCTION restores_may_approve(person bigint, workspace bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The locks keep the role and the account as they are until the transaction ends.
    PERFORM FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.user_id = person AND memberships.workspace_id = workspace
          AND memberships.role IN ('manager', 'owner') AND users.is_active
          AND memberships.role_since <= clock_timestamp() - interval '24 hours'
    FOR SHARE OF memberships, users;
    RETURN FOUND;
END $$;
