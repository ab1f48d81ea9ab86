-- An invitation lets exactly one user join, before it expires, with the role that an owner chose.

CREATE FUNCTION invitations_check_insert() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.accepted_at IS NOT NULL OR NEW.accepted_by_id IS NOT NULL OR NEW.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'a new invitation is pending' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.expires_at > clock_timestamp() + interval '31 days' THEN
        RAISE EXCEPTION 'an invitation expires within 31 days' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invitations_start_pending BEFORE INSERT ON invitations
    FOR EACH ROW EXECUTE FUNCTION invitations_check_insert();

CREATE FUNCTION invitations_check_update() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (OLD.workspace_id, OLD.email, OLD.role, OLD.created_at)
        IS DISTINCT FROM (NEW.workspace_id, NEW.email, NEW.role, NEW.created_at) THEN
        RAISE EXCEPTION 'invitation %: workspace, address and role cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.accepted_at IS NOT NULL OR OLD.revoked_at IS NOT NULL THEN
        -- The deletion of an account empties the columns that point to it, and nothing else changes.
        IF (to_jsonb(OLD) - 'invited_by_id' - 'accepted_by_id')
                IS DISTINCT FROM (to_jsonb(NEW) - 'invited_by_id' - 'accepted_by_id')
            OR NEW.invited_by_id IS DISTINCT FROM OLD.invited_by_id AND NEW.invited_by_id IS NOT NULL
            OR NEW.accepted_by_id IS DISTINCT FROM OLD.accepted_by_id AND NEW.accepted_by_id IS NOT NULL
        THEN
            RAISE EXCEPTION 'invitation %: it has been accepted or revoked', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.accepted_at IS NOT NULL THEN
        IF OLD.expires_at <= clock_timestamp() OR OLD.expires_at <> NEW.expires_at
            OR OLD.link_hash <> NEW.link_hash THEN
            RAISE EXCEPTION 'invitation %: it has expired', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT EXISTS (
            SELECT FROM public.memberships
            WHERE user_id = NEW.accepted_by_id AND workspace_id = NEW.workspace_id
        ) THEN
            RAISE EXCEPTION 'invitation %: who accepts it becomes a member', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.accepted_by_id IS NOT NULL THEN
        RAISE EXCEPTION 'invitation %: it is not accepted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.expires_at > clock_timestamp() + interval '31 days' THEN
        RAISE EXCEPTION 'an invitation expires within 31 days' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invitations_end_once BEFORE UPDATE ON invitations
    FOR EACH ROW EXECUTE FUNCTION invitations_check_update();
