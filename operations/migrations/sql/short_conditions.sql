-- PostgreSQL parses the condition of a trigger again for each statement, so that the length of those
-- on columns of every heartbeat, claim and end counts. The rules are those of `run_changes.sql`.

CREATE OR REPLACE TRIGGER runs_move_forward BEFORE UPDATE OF status ON operation_runs FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND (OLD.status = 'completed' OR NEW.status = 'queued'))
    EXECUTE FUNCTION operation_runs_reject('its status can only move forward');

CREATE FUNCTION operation_runs_keep_result() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (OLD.outcome, OLD.summary_counts, OLD.failure_summary, OLD.started_at, OLD.completed_at,
        OLD.heartbeat_at, OLD.worker)
       IS DISTINCT FROM
       (NEW.outcome, NEW.summary_counts, NEW.failure_summary, NEW.started_at, NEW.completed_at,
        NEW.heartbeat_at, NEW.worker) THEN
        RAISE EXCEPTION 'operation run %: it has ended and its result cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER runs_ended_is_final
    BEFORE UPDATE OF outcome, summary_counts, failure_summary, started_at, completed_at,
                     heartbeat_at, worker
    ON operation_runs FOR EACH ROW WHEN (OLD.status = 'completed')
    EXECUTE FUNCTION operation_runs_keep_result();
