ALTER TABLE operation_runs
    ADD CONSTRAINT runs_status_known
        CHECK (status = ANY ('{queued,running,completed}')),
    ADD CONSTRAINT runs_outcome_known
        CHECK (outcome = ANY ('{pending,succeeded,partially_succeeded,failed,blocked,cancelled}')),
    ADD CONSTRAINT runs_completed_means_ended
        CHECK ((status = 'completed') = (completed_at IS NOT NULL)
               AND (status = 'completed') <> (outcome = 'pending')),
    ADD CONSTRAINT runs_running_has_lease
        CHECK (status <> 'running' OR started_at IS NOT NULL AND heartbeat_at IS NOT NULL),
    ADD CONSTRAINT runs_counts_valid
        CHECK (summary_counts @@ '$.type() == "object" && !exists($.keyvalue() ? (
            @.key == "meta" && @.value.type() != "object"
            || @.key != "meta" && (@.value.type() != "number" || @.value < 0
                                   || @.value.floor() != @.value)))');

CREATE TRIGGER runs_move_forward BEFORE UPDATE OF status ON operation_runs FOR EACH ROW
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

CREATE TRIGGER runs_ended_is_final
    BEFORE UPDATE OF outcome, summary_counts, failure_summary, started_at, completed_at,
                     heartbeat_at, worker
    ON operation_runs FOR EACH ROW WHEN (OLD.status = 'completed')
    EXECUTE FUNCTION operation_runs_keep_result();

CREATE TRIGGER runs_cause_is_final BEFORE UPDATE OF cause ON operation_runs FOR EACH ROW
    WHEN (OLD.cause <> '' AND OLD.cause <> NEW.cause)
    EXECUTE FUNCTION operation_runs_reject('its cause cannot be changed');

CREATE OR REPLACE FUNCTION operation_runs_check() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    violated text := CASE
        WHEN jsonb_typeof(NEW.failure_summary) <> 'array'
             OR jsonb_array_length(NEW.failure_summary) > 20
            THEN 'runs_failures_limited'
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
        WHEN NEW.outcome IN ('failed', 'partially_succeeded', 'blocked') THEN NULL
        WHEN NEW.recovered_at IS NOT NULL THEN 'runs_recovered_from_a_problem'
        WHEN NEW.superseded_by_id IS NOT NULL THEN 'runs_superseded_problem'
        WHEN NEW.cause <> '' THEN 'runs_cause_of_a_problem'
    END;
BEGIN
    IF violated IS NOT NULL THEN
        RAISE EXCEPTION 'operation run %: it violates the rule "%"', NEW.id, violated
            USING ERRCODE = 'check_violation', CONSTRAINT = violated;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER runs_values_are_valid
    BEFORE INSERT OR UPDATE OF id, type, outcome, run_identity_hash, context, failure_summary,
        trace_parent, retry_of_id, acknowledged_at, acknowledgment_note, assigned_to_id, cause,
        recovered_at, recovered_by_id, superseded_by_id
    ON operation_runs FOR EACH ROW EXECUTE FUNCTION operation_runs_check();

DROP TRIGGER runs_state_is_valid ON operation_runs;
DROP TRIGGER runs_new_state_is_valid ON operation_runs;
DROP FUNCTION operation_runs_check_state();
