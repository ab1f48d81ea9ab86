DROP FUNCTION operation_runs_refuse CASCADE;
