DROP FUNCTION restore_items_are_kept CASCADE;
DROP FUNCTION restore_items_are_asked_for CASCADE;
