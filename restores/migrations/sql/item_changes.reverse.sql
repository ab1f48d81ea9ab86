DROP FUNCTION restore_items_choice_guard CASCADE;
DROP FUNCTION restore_items_guard CASCADE;
