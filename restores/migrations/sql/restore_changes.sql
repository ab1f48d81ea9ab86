-- A restore only moves forward, keeps its request, and is approved once, by a second person.
-- A restore that wrote to a tenant is never deleted.

CREATE FUNCTION restores_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% %: %', TG_TABLE_NAME, OLD.id, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER restores_move_forward BEFORE UPDATE OF status ON restore_runs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
        OLD.status = 'previewing' AND NEW.status IN ('previewed', 'ended')
        OR OLD.status = 'previewed' AND NEW.status IN ('executing', 'ended')
        OR OLD.status = 'executing' AND NEW.status = 'ended'))
    EXECUTE FUNCTION restores_reject('its status can only move forward');

CREATE TRIGGER restores_request_is_fixed
    BEFORE UPDATE OF workspace_id, tenant_id, assignments, access_state, requested_by_name,
                     created_at, retry_of_id, backup_set_id
    ON restore_runs FOR EACH ROW
    WHEN ((OLD.workspace_id, OLD.tenant_id, OLD.assignments, OLD.access_state,
           OLD.requested_by_name, OLD.created_at)
          IS DISTINCT FROM
          (NEW.workspace_id, NEW.tenant_id, NEW.assignments, NEW.access_state,
           NEW.requested_by_name, NEW.created_at)
          OR NEW.retry_of_id IS NOT NULL AND OLD.retry_of_id IS DISTINCT FROM NEW.retry_of_id
          OR NEW.backup_set_id IS NOT NULL AND OLD.backup_set_id IS DISTINCT FROM NEW.backup_set_id)
    EXECUTE FUNCTION restores_reject('its request cannot be changed');

CREATE TRIGGER restores_preview_is_fixed BEFORE UPDATE OF preview_digest ON restore_runs
    FOR EACH ROW
    WHEN (OLD.status <> 'previewing' AND OLD.preview_digest IS DISTINCT FROM NEW.preview_digest)
    EXECUTE FUNCTION restores_reject('its preview cannot be changed');

CREATE TRIGGER restores_approval_by_second_person BEFORE UPDATE OF approved_by_id ON restore_runs
    FOR EACH ROW
    WHEN (NEW.approved_by_id IS NOT NULL AND NEW.approved_by_id = NEW.requested_by_id
          OR OLD.approved_at IS NOT NULL AND NEW.approved_by_id IS NOT NULL
             AND OLD.approved_by_id IS DISTINCT FROM NEW.approved_by_id)
    EXECUTE FUNCTION restores_reject('a second person must approve it, once');

CREATE TRIGGER restores_approval_needs_preview
    BEFORE UPDATE OF approved_at ON restore_runs FOR EACH ROW
    WHEN (OLD.approved_at IS DISTINCT FROM NEW.approved_at AND OLD.status <> 'previewed')
    EXECUTE FUNCTION restores_reject('only a previewed restore can be approved');

CREATE TRIGGER restores_ended_is_final
    BEFORE UPDATE OF is_dry_run, previewed_at, executed_at, ended_at, before_set_id, preview_run_id,
                     execute_run_id ON restore_runs FOR EACH ROW
    WHEN (OLD.status = 'ended' AND (
        (OLD.is_dry_run, OLD.previewed_at, OLD.executed_at, OLD.ended_at)
            IS DISTINCT FROM (NEW.is_dry_run, NEW.previewed_at, NEW.executed_at, NEW.ended_at)
        OR NEW.before_set_id IS NOT NULL AND OLD.before_set_id IS DISTINCT FROM NEW.before_set_id
        OR NEW.preview_run_id IS NOT NULL AND OLD.preview_run_id IS DISTINCT FROM NEW.preview_run_id
        OR NEW.execute_run_id IS NOT NULL
           AND OLD.execute_run_id IS DISTINCT FROM NEW.execute_run_id))
    EXECUTE FUNCTION restores_reject('it has ended and cannot be changed');

CREATE TRIGGER restores_executed_not_deleted BEFORE DELETE ON restore_runs FOR EACH ROW
    WHEN (OLD.executed_at IS NOT NULL)
    EXECUTE FUNCTION restores_reject('an executed restore cannot be deleted');
