DROP TRIGGER runs_values_are_valid ON operation_runs;
DROP FUNCTION operation_runs_check();

ALTER TABLE operation_runs
    DROP CONSTRAINT runs_status_known,
    DROP CONSTRAINT runs_outcome_known,
    DROP CONSTRAINT runs_completed_means_ended,
    DROP CONSTRAINT runs_running_has_lease,
    DROP CONSTRAINT runs_counts_valid,
    ADD CONSTRAINT runs_status_known CHECK (status IN ('queued', 'running', 'completed')),
    ADD CONSTRAINT runs_outcome_known CHECK (
        outcome IN
        ('pending', 'succeeded', 'partially_succeeded', 'failed', 'blocked', 'cancelled')),
    ADD CONSTRAINT runs_completed_means_ended CHECK (
        completed_at IS NOT NULL AND status = 'completed' AND NOT outcome = 'pending'
        OR NOT status = 'completed' AND completed_at IS NULL AND outcome = 'pending'),
    ADD CONSTRAINT runs_running_has_lease CHECK (
        NOT status = 'running' OR heartbeat_at IS NOT NULL AND started_at IS NOT NULL),
    ADD CONSTRAINT runs_counts_valid CHECK (
        jsonb_typeof(summary_counts) = 'object'
        AND NOT jsonb_path_exists(
            summary_counts,
            '$.keyvalue() ? (@.key != "meta" && (@.value.type() != "number" || @.value < 0
                             || @.value.floor() != @.value))',
            '{}', true)
        AND jsonb_typeof(COALESCE(summary_counts->'meta', '{}')) = 'object'),
    ADD CONSTRAINT runs_failures_limited CHECK (
        jsonb_typeof(failure_summary) = 'array' AND jsonb_array_length(failure_summary) <= 20),
    ADD CONSTRAINT runs_context_is_object CHECK (jsonb_typeof(context) = 'object'),
    ADD CONSTRAINT runs_identity_is_sha256 CHECK (run_identity_hash ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT runs_trace_parent_valid CHECK (
        trace_parent = '' OR trace_parent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'),
    ADD CONSTRAINT runs_retry_not_self CHECK (retry_of_id <> id),
    ADD CONSTRAINT runs_scheduled_has_slot CHECK (
        type <> 'backup_schedule.scheduled'
        OR (context->>'backup_schedule_id') IS NOT NULL
           AND COALESCE(context->>'scheduled_for', '') ~ '^\d{4}-\d\d-\d\dT\d\d:\d\dZ$'),
    ADD CONSTRAINT runs_note_of_an_acknowledgment CHECK (
        acknowledged_at IS NOT NULL OR acknowledgment_note = '' AND assigned_to_id IS NULL),
    ADD CONSTRAINT runs_recovered_from_a_problem CHECK (
        recovered_at IS NULL AND recovered_by_id IS NULL
        OR outcome IN ('failed', 'partially_succeeded', 'blocked')
           AND recovered_at IS NOT NULL AND recovered_by_id IS NOT NULL),
    ADD CONSTRAINT runs_superseded_problem CHECK (
        superseded_by_id IS NULL OR outcome IN ('failed', 'partially_succeeded', 'blocked')),
    ADD CONSTRAINT runs_cause_of_a_problem CHECK (
        cause = '' OR outcome IN ('failed', 'partially_succeeded', 'blocked'));
