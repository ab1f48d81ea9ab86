DROP TRIGGER restores_rule_is_fixed ON restore_runs;
DROP FUNCTION restores_execution_guard CASCADE;
DROP FUNCTION restores_approver_guard CASCADE;
DROP FUNCTION restores_previewed_guard CASCADE;
DROP FUNCTION restores_begin_guard CASCADE;
DROP FUNCTION restores_may_approve;
