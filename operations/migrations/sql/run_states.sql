-- PostgreSQL parses each check constraint of a table, and each condition of its triggers, again for
-- each statement, which took a sixth of the server's CPU for a run. One function keeps the rules of
-- what claims, heartbeats, counts and ends change. `run_rules.sql` has the rules of the other values,
-- `short_conditions.sql` and `recovery.sql` had those of changes. The rules stay the same.

ALTER TABLE operation_runs
    DROP CONSTRAINT runs_status_known,
    DROP CONSTRAINT runs_outcome_known,
    DROP CONSTRAINT runs_completed_means_ended,
    DROP CONSTRAINT runs_running_has_lease,
    DROP CONSTRAINT runs_counts_valid;

DROP TRIGGER runs_move_forward ON operation_runs;
DROP TRIGGER runs_ended_is_final ON operation_runs;
DROP TRIGGER runs_cause_is_final ON operation_runs;
DROP FUNCTION operation_runs_keep_result();

CREATE FUNCTION operation_runs_check_state() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    violated text := CASE
        WHEN NEW.status <> ALL ('{queued,running,completed}') THEN 'runs_status_known'
        WHEN NEW.outcome <> ALL
             ('{pending,succeeded,partially_succeeded,failed,blocked,cancelled}')
            THEN 'runs_outcome_known'
        WHEN (NEW.status = 'completed') <> (NEW.completed_at IS NOT NULL)
             OR (NEW.status = 'completed') = (NEW.outcome = 'pending')
            THEN 'runs_completed_means_ended'
        WHEN NEW.status = 'running' AND (NEW.started_at IS NULL OR NEW.heartbeat_at IS NULL)
            THEN 'runs_running_has_lease'
        WHEN NEW.summary_counts IS DISTINCT FROM OLD.summary_counts
             AND NOT NEW.summary_counts @@ '$.type() == "object" && !exists($.keyvalue() ? (
                 @.key == "meta" && @.value.type() != "object"
                 || @.key != "meta" && (@.value.type() != "number" || @.value < 0
                                        || @.value.floor() != @.value)))'
            THEN 'runs_counts_valid'
        WHEN jsonb_typeof(NEW.failure_summary) <> 'array'
             OR jsonb_array_length(NEW.failure_summary) > 20
            THEN 'runs_failures_limited'
        WHEN NEW.outcome IN ('failed', 'partially_succeeded', 'blocked') THEN NULL
        WHEN NEW.recovered_at IS NOT NULL THEN 'runs_recovered_from_a_problem'
        WHEN NEW.superseded_by_id IS NOT NULL THEN 'runs_superseded_problem'
        WHEN NEW.cause <> '' THEN 'runs_cause_of_a_problem'
    END;
BEGIN
    -- Of a new row, OLD is null.
    IF OLD.status <> NEW.status AND (OLD.status = 'completed' OR NEW.status = 'queued') THEN
        RAISE EXCEPTION 'operation run %: its status can only move forward', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'completed'
       AND (OLD.outcome, OLD.summary_counts, OLD.failure_summary, OLD.started_at, OLD.completed_at,
            OLD.heartbeat_at, OLD.worker)
           IS DISTINCT FROM
           (NEW.outcome, NEW.summary_counts, NEW.failure_summary, NEW.started_at, NEW.completed_at,
            NEW.heartbeat_at, NEW.worker) THEN
        RAISE EXCEPTION 'operation run %: it has ended and its result cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.cause <> '' AND OLD.cause <> NEW.cause THEN
        RAISE EXCEPTION 'operation run %: its cause cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF violated IS NOT NULL THEN
        RAISE EXCEPTION 'operation run %: it violates the rule "%"', NEW.id, violated
            USING ERRCODE = 'check_violation', CONSTRAINT = violated;
    END IF;
    RETURN NEW;
END $$;

-- Most new runs are queued and have nothing yet, which no rule forbids.
CREATE TRIGGER runs_new_state_is_valid BEFORE INSERT ON operation_runs FOR EACH ROW
    WHEN ((NEW.status = 'queued' AND NEW.outcome = 'pending' AND NEW.completed_at IS NULL
           AND NEW.summary_counts = '{}' AND NEW.failure_summary = '[]' AND NEW.cause = ''
           AND NEW.recovered_at IS NULL AND NEW.superseded_by_id IS NULL) IS NOT TRUE)
    EXECUTE FUNCTION operation_runs_check_state();

CREATE TRIGGER runs_state_is_valid
    BEFORE UPDATE OF status, outcome, summary_counts, failure_summary, cause, started_at,
        completed_at, heartbeat_at, worker, recovered_at, superseded_by_id
    ON operation_runs FOR EACH ROW EXECUTE FUNCTION operation_runs_check_state();

-- The function of `run_rules.sql`, without the rules that the one above keeps.
CREATE OR REPLACE FUNCTION operation_runs_check() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    violated text := CASE
        WHEN jsonb_typeof(NEW.context) <> 'object' THEN 'runs_context_is_object'
        WHEN NEW.run_identity_hash !~ '^[0-9a-f]{64}$' THEN 'runs_identity_is_sha256'
        WHEN NEW.trace_parent <> ''
             AND NEW.trace_parent !~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
            THEN 'runs_trace_parent_valid'
        WHEN NEW.retry_of_id = NEW.id THEN 'runs_retry_not_self'
        WHEN NEW.type = 'backup_schedule.scheduled'
             AND (NEW.context->>'backup_schedule_id' IS NULL
                  OR COALESCE(NEW.context->>'scheduled_for', '')
                     !~ '^\d{4}-\d\d-\d\dT\d\d:\d\dZ$')
            THEN 'runs_scheduled_has_slot'
        WHEN NEW.acknowledged_at IS NULL
             AND (NEW.acknowledgment_note <> '' OR NEW.assigned_to_id IS NOT NULL)
            THEN 'runs_note_of_an_acknowledgment'
        WHEN (NEW.recovered_at IS NULL) <> (NEW.recovered_by_id IS NULL)
            THEN 'runs_recovered_from_a_problem'
    END;
BEGIN
    IF violated IS NOT NULL THEN
        RAISE EXCEPTION 'operation run %: it violates the rule "%"', NEW.id, violated
            USING ERRCODE = 'check_violation', CONSTRAINT = violated;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER runs_values_are_valid
    BEFORE INSERT OR UPDATE OF id, type, run_identity_hash, context, trace_parent, retry_of_id,
        acknowledged_at, acknowledgment_note, assigned_to_id, recovered_at, recovered_by_id
    ON operation_runs FOR EACH ROW EXECUTE FUNCTION operation_runs_check();
