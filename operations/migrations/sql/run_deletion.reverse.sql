DROP FUNCTION operation_details_of_active_refuse CASCADE;
DROP TRIGGER runs_details_go_once ON operation_runs;
DROP TRIGGER runs_delete_is_pruning ON operation_runs;
DROP TRIGGER runs_active_is_kept ON operation_runs;
