DROP FUNCTION operation_runs_check_assignee CASCADE;
DROP TRIGGER runs_acknowledgment_is_final ON operation_runs;
DROP TRIGGER runs_cause_is_final ON operation_runs;
DROP TRIGGER runs_recovery_is_final ON operation_runs;
DROP FUNCTION operation_runs_check_recovery CASCADE;
