DROP FUNCTION staff_changes_guard CASCADE;
ALTER TABLE staff_changes DROP CONSTRAINT staff_changes_workspace;
