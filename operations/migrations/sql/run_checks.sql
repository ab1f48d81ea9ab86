-- The values of a run are well formed: identity, counts, failures and context.

ALTER TABLE operation_runs
    ADD CONSTRAINT runs_identity_is_sha256 CHECK (run_identity_hash ~ '^[0-9a-f]{64}$'),
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
    ADD CONSTRAINT runs_retry_not_self CHECK (retry_of_id <> id);
