ALTER FUNCTION restores_reject() RESET search_path;
ALTER FUNCTION restore_items_guard() RESET search_path;
ALTER FUNCTION restore_items_decision_guard() RESET search_path;
ALTER FUNCTION restore_items_added_in_preview() RESET search_path;
ALTER FUNCTION restore_items_executed_not_deleted() RESET search_path;
