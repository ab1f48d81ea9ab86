CREATE OR REPLACE FUNCTION restores_may_approve(person bigint, workspace bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.user_id = person AND memberships.workspace_id = workspace
          AND memberships.role IN ('manager', 'owner') AND users.is_active
    FOR SHARE OF memberships, users;
    RETURN FOUND;
END $$;
