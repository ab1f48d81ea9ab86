ALTER FUNCTION operation_runs_check_repeated() RESET search_path;
ALTER FUNCTION backup_schedules_check_revision() RESET search_path;
ALTER FUNCTION backup_revisions_follow() RESET search_path;
ALTER FUNCTION backup_revisions_require_schedule_gone() RESET search_path;
ALTER FUNCTION backup_revisions_reject() RESET search_path;
ALTER FUNCTION backups_reject() RESET search_path;
ALTER FUNCTION backup_sets_check_complete() RESET search_path;
ALTER FUNCTION backup_items_require_building() RESET search_path;
