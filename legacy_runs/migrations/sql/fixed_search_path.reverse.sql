ALTER FUNCTION legacy_runs_reject() RESET search_path;
ALTER FUNCTION legacy_runs_unlink_only() RESET search_path;
ALTER FUNCTION legacy_runs_check_linked_run() RESET search_path;
