DROP FUNCTION legacy_runs_unlink_only CASCADE;
DROP FUNCTION legacy_runs_reject CASCADE;
