-- A problem is resolved only by a later success of its identity, or a later problem that stands for
-- it, once. The cause, and the note and the assignee of an acknowledgment, are final.

CREATE FUNCTION operation_runs_check_recovery() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.recovered_by_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.operation_runs success
        WHERE success.id = NEW.recovered_by_id AND success.workspace_id = NEW.workspace_id
          AND success.run_identity_hash = NEW.run_identity_hash
          AND success.outcome = 'succeeded' AND success.started_at >= NEW.completed_at) THEN
        RAISE EXCEPTION 'operation run %: only a later success of its identity recovers it', NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.superseded_by_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.operation_runs later
        WHERE later.id = NEW.superseded_by_id AND later.workspace_id = NEW.workspace_id
          AND later.run_identity_hash = NEW.run_identity_hash
          AND later.outcome IN ('failed', 'partially_succeeded', 'blocked')
          AND (later.completed_at, later.id) > (NEW.completed_at, NEW.id)) THEN
        RAISE EXCEPTION 'operation run %: only a later problem of its identity stands for it',
            NEW.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_new_recovery_is_later BEFORE INSERT ON operation_runs FOR EACH ROW
    WHEN (NEW.recovered_by_id IS NOT NULL OR NEW.superseded_by_id IS NOT NULL)
    EXECUTE FUNCTION operation_runs_check_recovery();

CREATE TRIGGER runs_recovery_is_later BEFORE UPDATE OF recovered_by_id, superseded_by_id
    ON operation_runs FOR EACH ROW
    WHEN (NEW.recovered_by_id IS DISTINCT FROM OLD.recovered_by_id
          OR NEW.superseded_by_id IS DISTINCT FROM OLD.superseded_by_id)
    EXECUTE FUNCTION operation_runs_check_recovery();

CREATE TRIGGER runs_recovery_is_final
    BEFORE UPDATE OF recovered_by_id, recovered_at, superseded_by_id ON operation_runs FOR EACH ROW
    WHEN (OLD.recovered_at IS NOT NULL
          AND (OLD.recovered_by_id, OLD.recovered_at)
              IS DISTINCT FROM (NEW.recovered_by_id, NEW.recovered_at)
          OR OLD.superseded_by_id IS NOT NULL
             AND OLD.superseded_by_id IS DISTINCT FROM NEW.superseded_by_id)
    EXECUTE FUNCTION operation_runs_reject('the run that resolves it cannot be changed');

CREATE TRIGGER runs_cause_is_final BEFORE UPDATE OF cause ON operation_runs FOR EACH ROW
    WHEN (OLD.cause <> '' AND OLD.cause <> NEW.cause)
    EXECUTE FUNCTION operation_runs_reject('its cause cannot be changed');

-- Deleting a user clears the assignee.
CREATE TRIGGER runs_acknowledgment_is_final
    BEFORE UPDATE OF acknowledgment_note, assigned_to_id ON operation_runs FOR EACH ROW
    WHEN (OLD.acknowledged_at IS NOT NULL
          AND (OLD.acknowledgment_note <> NEW.acknowledgment_note
               OR NEW.assigned_to_id IS NOT NULL
                  AND OLD.assigned_to_id IS DISTINCT FROM NEW.assigned_to_id))
    EXECUTE FUNCTION operation_runs_reject('requester, cancellation and acknowledgment are final');

CREATE FUNCTION operation_runs_check_assignee() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.memberships
                   WHERE workspace_id = NEW.workspace_id AND user_id = NEW.assigned_to_id) THEN
        RAISE EXCEPTION 'operation run %: only a member of its workspace can be assigned', NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_assignee_is_member BEFORE INSERT OR UPDATE OF assigned_to_id ON operation_runs
    FOR EACH ROW WHEN (NEW.assigned_to_id IS NOT NULL)
    EXECUTE FUNCTION operation_runs_check_assignee();
