-- A run only moves forward, its request never changes, and its result is final once it has ended.
-- UPDATE OF and WHEN keep heartbeats and counters free of these checks.

CREATE FUNCTION operation_runs_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation run %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER runs_move_forward BEFORE UPDATE OF status ON operation_runs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
        OLD.status = 'queued' AND NEW.status IN ('running', 'completed')
        OR OLD.status = 'running' AND NEW.status = 'completed'))
    EXECUTE FUNCTION operation_runs_reject('its status can only move forward');

CREATE TRIGGER runs_identity_is_fixed
    BEFORE UPDATE OF id, workspace_id, tenant_id, type, run_identity_hash, context, created_at,
                     initiator_name
    ON operation_runs FOR EACH ROW
    WHEN ((OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.type, OLD.run_identity_hash, OLD.context,
           OLD.created_at, OLD.initiator_name)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.type, NEW.run_identity_hash, NEW.context,
           NEW.created_at, NEW.initiator_name))
    EXECUTE FUNCTION operation_runs_reject('type, scope, identity and context cannot be changed');

CREATE TRIGGER runs_ended_is_final
    BEFORE UPDATE OF outcome, summary_counts, failure_summary, started_at, completed_at,
                     heartbeat_at, worker
    ON operation_runs FOR EACH ROW
    WHEN (OLD.status = 'completed' AND
          (OLD.outcome, OLD.summary_counts, OLD.failure_summary, OLD.started_at, OLD.completed_at,
           OLD.heartbeat_at, OLD.worker)
          IS DISTINCT FROM
          (NEW.outcome, NEW.summary_counts, NEW.failure_summary, NEW.started_at, NEW.completed_at,
           NEW.heartbeat_at, NEW.worker))
    EXECUTE FUNCTION operation_runs_reject('it has ended and its result cannot be changed');

CREATE TRIGGER runs_retry_is_fixed BEFORE UPDATE OF retry_of_id ON operation_runs FOR EACH ROW
    WHEN (NEW.retry_of_id IS NOT NULL AND OLD.retry_of_id IS DISTINCT FROM NEW.retry_of_id)
    EXECUTE FUNCTION operation_runs_reject('the run that it retries cannot be changed');

CREATE TRIGGER runs_submission_is_fixed BEFORE UPDATE OF submission_id ON operation_runs
    FOR EACH ROW WHEN (OLD.submission_id IS DISTINCT FROM NEW.submission_id)
    EXECUTE FUNCTION operation_runs_reject('its submission cannot be changed');

CREATE TRIGGER runs_people_are_fixed
    BEFORE UPDATE OF user_id, cancel_requested_at, cancel_requested_by_id, acknowledged_at,
                     acknowledged_by_id
    ON operation_runs FOR EACH ROW
    WHEN (NEW.user_id IS NOT NULL AND OLD.user_id IS DISTINCT FROM NEW.user_id
          OR OLD.cancel_requested_at IS NOT NULL
             AND (OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at
                  OR NEW.cancel_requested_by_id IS NOT NULL
                     AND OLD.cancel_requested_by_id IS DISTINCT FROM NEW.cancel_requested_by_id)
          OR OLD.acknowledged_at IS NOT NULL
             AND (OLD.acknowledged_at IS DISTINCT FROM NEW.acknowledged_at
                  OR NEW.acknowledged_by_id IS NOT NULL
                     AND OLD.acknowledged_by_id IS DISTINCT FROM NEW.acknowledged_by_id)
          OR OLD.status = 'completed'
             AND OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at)
    EXECUTE FUNCTION operation_runs_reject('requester, cancellation and acknowledgment are final');
