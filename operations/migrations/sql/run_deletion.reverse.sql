DROP FUNCTION operation_active_details_reject CASCADE;
DROP TRIGGER runs_details_removed_once ON operation_runs;
DROP TRIGGER runs_delete_by_retention ON operation_runs;
DROP TRIGGER runs_active_not_deleted ON operation_runs;
