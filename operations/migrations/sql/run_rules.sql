-- PostgreSQL parses the check constraints of a table again for each statement: sixteen of them took a
-- third of the CPU of a heartbeat. What heartbeats, claims and counts change keeps constraints, in a
-- short form, and a function checks the other values where they are written. The rules stay the same;
-- 0018 says so to PostgreSQL.

ALTER TABLE operation_runs
    DROP CONSTRAINT runs_status_known,
    DROP CONSTRAINT runs_outcome_known,
    DROP CONSTRAINT runs_completed_means_ended,
    DROP CONSTRAINT runs_running_has_lease,
    DROP CONSTRAINT runs_counts_valid,
    ADD CONSTRAINT runs_status_known
        CHECK (status = ANY ('{queued,running,completed}')) NOT VALID,
    ADD CONSTRAINT runs_outcome_known
        CHECK (outcome = ANY ('{pending,succeeded,partially_succeeded,failed,blocked,cancelled}'))
        NOT VALID,
    ADD CONSTRAINT runs_completed_means_ended
        CHECK ((status = 'completed') = (completed_at IS NOT NULL)
               AND (status = 'completed') <> (outcome = 'pending')) NOT VALID,
    ADD CONSTRAINT runs_running_has_lease
        CHECK (status <> 'running' OR started_at IS NOT NULL AND heartbeat_at IS NOT NULL) NOT VALID,
    ADD CONSTRAINT runs_counts_valid
        CHECK (summary_counts @@ '$.type() == "object" && !exists($.keyvalue() ? (
            @.key == "meta" && @.value.type() != "object"
            || @.key != "meta" && (@.value.type() != "number" || @.value < 0
                                   || @.value.floor() != @.value)))') NOT VALID,
    DROP CONSTRAINT runs_failures_limited,
    DROP CONSTRAINT runs_context_is_object,
    DROP CONSTRAINT runs_identity_is_sha256,
    DROP CONSTRAINT runs_trace_parent_valid,
    DROP CONSTRAINT runs_retry_not_self,
    DROP CONSTRAINT runs_scheduled_has_slot,
    DROP CONSTRAINT runs_note_of_an_acknowledgment,
    DROP CONSTRAINT runs_recovered_from_a_problem,
    DROP CONSTRAINT runs_superseded_problem,
    DROP CONSTRAINT runs_cause_of_a_problem;

CREATE FUNCTION operation_runs_check() RETURNS trigger LANGUAGE plpgsql
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

CREATE TRIGGER runs_values_are_valid
    BEFORE INSERT OR UPDATE OF id, type, outcome, run_identity_hash, context, failure_summary,
        trace_parent, retry_of_id, acknowledged_at, acknowledgment_note, assigned_to_id, cause,
        recovered_at, recovered_by_id, superseded_by_id
    ON operation_runs FOR EACH ROW EXECUTE FUNCTION operation_runs_check();
