-- The approval of restores is switched off only by a request that another owner has confirmed, or
-- that a workspace with one owner has shown to its members for a day.

CREATE FUNCTION workspaces_is_owner(person bigint, workspace bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The locks keep the role and the account as they are until the transaction ends.
    PERFORM FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.user_id = person AND memberships.workspace_id = workspace
          AND memberships.role = 'owner' AND users.is_active
    FOR SHARE OF memberships, users;
    RETURN FOUND;
END $$;

CREATE FUNCTION workspaces_owner_count(workspace bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT count(*) FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.workspace_id = workspace AND memberships.role = 'owner' AND users.is_active
$$;

CREATE FUNCTION approval_off_requests_begin() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- An owner who is added or removed at the same time counts before or after, not in between.
    PERFORM FROM public.workspaces
    WHERE id = NEW.workspace_id AND restores_need_approval FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'approval_off_requests: workspace % requires no approval', NEW.workspace_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.requested_by_id IS NULL
            OR NOT public.workspaces_is_owner(NEW.requested_by_id, NEW.workspace_id) THEN
        RAISE EXCEPTION 'approval_off_requests: only an owner can request it'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.confirmed_by_id, NEW.confirmed_at, NEW.withdrawn_by_id, NEW.withdrawn_at, NEW.ended_at)
            IS DISTINCT FROM (NULL, NULL, NULL, NULL, NULL) THEN
        RAISE EXCEPTION 'approval_off_requests: a request begins open'
            USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.created_at := clock_timestamp();
    NEW.effective_at := NULL;
    IF public.workspaces_owner_count(NEW.workspace_id) = 1 THEN
        NEW.effective_at := NEW.created_at + interval '24 hours';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER approval_off_requests_begin BEFORE INSERT ON approval_off_requests FOR EACH ROW
    EXECUTE FUNCTION approval_off_requests_begin();

CREATE FUNCTION approval_off_requests_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Accounts can be deleted; their names stay.
    IF (OLD.workspace_id, OLD.created_at, OLD.effective_at, OLD.requested_by_name)
            IS DISTINCT FROM
            (NEW.workspace_id, NEW.created_at, NEW.effective_at, NEW.requested_by_name)
            OR NEW.requested_by_id IS NOT NULL
               AND OLD.requested_by_id IS DISTINCT FROM NEW.requested_by_id
            OR OLD.confirmed_at IS NOT NULL AND (
                (OLD.confirmed_at, OLD.confirmed_by_name)
                    IS DISTINCT FROM (NEW.confirmed_at, NEW.confirmed_by_name)
                OR NEW.confirmed_by_id IS NOT NULL
                   AND OLD.confirmed_by_id IS DISTINCT FROM NEW.confirmed_by_id)
            OR OLD.ended_at IS NOT NULL AND (
                (OLD.ended_at, OLD.withdrawn_at, OLD.withdrawn_by_name, OLD.confirmed_at)
                    IS DISTINCT FROM
                    (NEW.ended_at, NEW.withdrawn_at, NEW.withdrawn_by_name, NEW.confirmed_at)
                OR NEW.withdrawn_by_id IS NOT NULL
                   AND OLD.withdrawn_by_id IS DISTINCT FROM NEW.withdrawn_by_id) THEN
        RAISE EXCEPTION 'approval_off_requests %: it cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.confirmed_at IS NULL AND (NEW.confirmed_at IS NOT NULL OR NEW.confirmed_by_id IS NOT NULL)
    THEN
        IF NEW.confirmed_at IS NULL OR NEW.confirmed_by_id IS NULL OR NEW.requested_by_id IS NULL
                OR NEW.confirmed_by_id = NEW.requested_by_id
                OR NOT public.workspaces_is_owner(NEW.confirmed_by_id, NEW.workspace_id) THEN
            RAISE EXCEPTION 'approval_off_requests %: only another owner can confirm it', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        NEW.confirmed_at := clock_timestamp();
    END IF;
    IF OLD.withdrawn_at IS NULL AND (NEW.withdrawn_at IS NOT NULL OR NEW.withdrawn_by_id IS NOT NULL)
    THEN
        IF NEW.withdrawn_at IS NULL OR NEW.withdrawn_by_id IS NULL
                OR NOT public.workspaces_is_owner(NEW.withdrawn_by_id, NEW.workspace_id) THEN
            RAISE EXCEPTION 'approval_off_requests %: only an owner can withdraw it', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        NEW.withdrawn_at := clock_timestamp();
        NEW.ended_at := NEW.withdrawn_at;
    END IF;
    IF OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL AND NEW.withdrawn_at IS NULL
            AND NEW.confirmed_at IS NULL
            AND COALESCE(NEW.effective_at > clock_timestamp(), true) THEN
        RAISE EXCEPTION 'approval_off_requests %: it is open until it is confirmed or withdrawn',
            OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER approval_off_requests_guard BEFORE UPDATE ON approval_off_requests FOR EACH ROW
    EXECUTE FUNCTION approval_off_requests_guard();

CREATE FUNCTION approval_off_requests_keep() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'approval_off_requests: requests are never deleted'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER approval_off_requests_keep BEFORE DELETE ON approval_off_requests FOR EACH ROW
    EXECUTE FUNCTION approval_off_requests_keep();

CREATE TRIGGER approval_off_requests_keep_all BEFORE TRUNCATE ON approval_off_requests
    EXECUTE FUNCTION approval_off_requests_keep();

CREATE FUNCTION workspaces_approval_off() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.approval_off_requests SET ended_at = clock_timestamp()
    WHERE workspace_id = OLD.id AND ended_at IS NULL AND (
        confirmed_at IS NOT NULL
        OR effective_at <= clock_timestamp() AND public.workspaces_owner_count(OLD.id) <= 1);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'workspace %: only a confirmed request switches approval off', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER workspaces_approval_off BEFORE UPDATE OF restores_need_approval ON workspaces
    FOR EACH ROW WHEN (OLD.restores_need_approval AND NOT NEW.restores_need_approval)
    EXECUTE FUNCTION workspaces_approval_off();
