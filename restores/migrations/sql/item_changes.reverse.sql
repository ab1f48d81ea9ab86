DROP FUNCTION restore_items_decision_guard CASCADE;
DROP FUNCTION restore_items_guard CASCADE;
