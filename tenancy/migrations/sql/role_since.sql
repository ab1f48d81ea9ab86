-- Who has just joined, or just got a higher role, cannot approve what another member does: otherwise an
-- owner invites a second account and approves the own restore with it at once. Roles that members had
-- before this migration count as old.

CREATE FUNCTION memberships_role_since() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    ranks text[] := ARRAY['reader', 'operator', 'manager', 'owner'];
BEGIN
    NEW.role_since := clock_timestamp();
    IF TG_OP = 'UPDATE' AND (NEW.user_id, NEW.workspace_id) = (OLD.user_id, OLD.workspace_id)
            AND array_position(ranks, NEW.role::text) <= array_position(ranks, OLD.role::text) THEN
        NEW.role_since := OLD.role_since;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER memberships_role_since BEFORE INSERT OR UPDATE ON memberships FOR EACH ROW
    EXECUTE FUNCTION memberships_role_since();

CREATE FUNCTION approval_off_requests_confirmer() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.memberships
        WHERE user_id = NEW.confirmed_by_id AND workspace_id = NEW.workspace_id
              AND role_since <= clock_timestamp() - interval '24 hours'
    ) THEN
        RAISE EXCEPTION 'approval_off_requests %: a new owner cannot confirm it yet', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER approval_off_requests_confirmer
    BEFORE UPDATE OF confirmed_at ON approval_off_requests FOR EACH ROW
    WHEN (OLD.confirmed_at IS NULL AND NEW.confirmed_at IS NOT NULL)
    EXECUTE FUNCTION approval_off_requests_confirmer();
