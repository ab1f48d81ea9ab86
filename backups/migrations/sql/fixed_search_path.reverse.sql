ALTER FUNCTION backups_reject() RESET search_path;
ALTER FUNCTION backup_sets_check_complete() RESET search_path;
ALTER FUNCTION backup_items_require_building() RESET search_path;
