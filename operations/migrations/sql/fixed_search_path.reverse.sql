ALTER FUNCTION operation_runs_reject() RESET search_path;
ALTER FUNCTION operation_history_reject() RESET search_path;
ALTER FUNCTION operation_active_details_reject() RESET search_path;
