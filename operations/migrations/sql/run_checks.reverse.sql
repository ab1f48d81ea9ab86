ALTER TABLE operation_runs
    DROP CONSTRAINT runs_identity_is_sha256,
    DROP CONSTRAINT runs_counts_valid,
    DROP CONSTRAINT runs_failures_limited,
    DROP CONSTRAINT runs_context_is_object,
    DROP CONSTRAINT runs_retry_not_self;
