CREATE OR REPLACE TRIGGER runs_move_forward BEFORE UPDATE OF status ON operation_runs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
        OLD.status = 'queued' AND NEW.status IN ('running', 'completed')
        OR OLD.status = 'running' AND NEW.status = 'completed'))
    EXECUTE FUNCTION operation_runs_reject('its status can only move forward');

CREATE OR REPLACE TRIGGER runs_ended_is_final
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

DROP FUNCTION operation_runs_keep_result();
