DROP FUNCTION operation_runs_reject CASCADE;
