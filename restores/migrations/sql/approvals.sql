-- A restore keeps the approval rule of its preview, is approved by a qualified member, and is
-- executed only while preview and approval hold.

CREATE FUNCTION restores_may_approve(person bigint, workspace bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The locks keep the role and the account as they are until the transaction ends.
    PERFORM FROM public.memberships JOIN public.users ON users.id = memberships.user_id
    WHERE memberships.user_id = person AND memberships.workspace_id = workspace
          AND memberships.role IN ('manager', 'owner') AND users.is_active
    FOR SHARE OF memberships, users;
    RETURN FOUND;
END $$;

CREATE FUNCTION restores_begin_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.status <> 'previewing' OR NEW.approved_at IS NOT NULL OR NEW.approved_by_id IS NOT NULL
            OR NEW.preview_expires_at IS NOT NULL OR NEW.approval_expires_at IS NOT NULL THEN
        RAISE EXCEPTION 'restore_runs: a restore begins with its preview, without an approval'
            USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.approval_required := NEW.approval_required OR EXISTS (
        SELECT FROM public.workspaces WHERE id = NEW.workspace_id AND restores_need_approval);
    RETURN NEW;
END $$;

CREATE TRIGGER restores_begin_with_preview BEFORE INSERT ON restore_runs FOR EACH ROW
    EXECUTE FUNCTION restores_begin_guard();

CREATE FUNCTION restores_previewed_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.approval_required := OLD.approval_required OR EXISTS (
        SELECT FROM public.workspaces WHERE id = NEW.workspace_id AND restores_need_approval);
    -- A worker of an earlier version sets no expiry.
    NEW.preview_expires_at :=
        COALESCE(NEW.preview_expires_at, clock_timestamp() + interval '3 days');
    RETURN NEW;
END $$;

CREATE TRIGGER restores_previewed_with_rule BEFORE UPDATE OF status ON restore_runs FOR EACH ROW
    WHEN (OLD.status = 'previewing' AND NEW.status = 'previewed')
    EXECUTE FUNCTION restores_previewed_guard();

CREATE TRIGGER restores_rule_is_fixed
    BEFORE UPDATE OF approval_required, preview_expires_at, approval_expires_at, requested_by_id
    ON restore_runs FOR EACH ROW
    WHEN (OLD.approval_required AND NOT NEW.approval_required
          OR OLD.preview_expires_at IS NOT NULL
             AND OLD.preview_expires_at IS DISTINCT FROM NEW.preview_expires_at
          OR OLD.approval_expires_at IS NOT NULL
             AND OLD.approval_expires_at IS DISTINCT FROM NEW.approval_expires_at
          -- An account can be deleted, but a restore has no other requester.
          OR NEW.requested_by_id IS NOT NULL
             AND OLD.requested_by_id IS DISTINCT FROM NEW.requested_by_id)
    EXECUTE FUNCTION restores_reject('its approval rule, requester and expiry cannot be changed');

CREATE FUNCTION restores_approver_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.approved_at IS NOT NULL AND OLD.approved_at IS NOT DISTINCT FROM NEW.approved_at
            AND NEW.approved_by_id IS NULL THEN
        -- The account of the approver is deleted.
        RETURN NEW;
    END IF;
    IF OLD.approved_at IS NOT NULL OR NEW.approved_at IS NULL THEN
        RAISE EXCEPTION 'restore_runs %: its approval cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.preview_expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'restore_runs %: its preview has expired', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.approved_by_id IS NULL OR NEW.requested_by_id IS NULL
            OR NEW.approved_by_id = NEW.requested_by_id
            OR NOT public.restores_may_approve(NEW.approved_by_id, NEW.workspace_id) THEN
        RAISE EXCEPTION 'restore_runs %: only another member who may restore can approve it', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.approval_expires_at :=
        COALESCE(NEW.approval_expires_at, clock_timestamp() + interval '1 day');
    RETURN NEW;
END $$;

CREATE TRIGGER restores_approver_is_qualified
    BEFORE UPDATE OF approved_at, approved_by_id ON restore_runs FOR EACH ROW
    WHEN ((OLD.approved_at, OLD.approved_by_id)
          IS DISTINCT FROM (NEW.approved_at, NEW.approved_by_id))
    EXECUTE FUNCTION restores_approver_guard();

CREATE FUNCTION restores_execution_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.preview_expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'restore_runs %: its preview has expired', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT NEW.approval_required AND NOT EXISTS (
            SELECT FROM public.workspaces WHERE id = NEW.workspace_id AND restores_need_approval)
    THEN
        RETURN NEW;
    END IF;
    IF NEW.approved_at IS NULL THEN
        RAISE EXCEPTION 'restore_runs %: it is not approved', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.approval_expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'restore_runs %: its approval has expired', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.approved_by_id IS NULL OR NEW.requested_by_id IS NULL
            OR NEW.approved_by_id = NEW.requested_by_id
            OR NOT public.restores_may_approve(NEW.approved_by_id, NEW.workspace_id) THEN
        RAISE EXCEPTION 'restore_runs %: its approver can no longer approve it', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restores_execution_is_approved BEFORE UPDATE OF status ON restore_runs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status = 'executing')
    EXECUTE FUNCTION restores_execution_guard();

-- Restores that are in preview during the upgrade.
UPDATE restore_runs SET approval_required = true
FROM workspaces
WHERE workspaces.id = restore_runs.workspace_id AND workspaces.restores_need_approval
      AND restore_runs.status IN ('previewing', 'previewed');
UPDATE restore_runs
SET preview_expires_at = clock_timestamp() + interval '3 days',
    approval_expires_at = CASE WHEN approved_at IS NOT NULL
        THEN clock_timestamp() + interval '1 day' END
WHERE status = 'previewed';
