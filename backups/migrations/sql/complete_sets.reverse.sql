DROP FUNCTION backup_sets_are_true CASCADE;
