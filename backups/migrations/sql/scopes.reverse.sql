ALTER TABLE backup_items DROP CONSTRAINT items_version_of_workspace;
ALTER TABLE backup_items DROP CONSTRAINT items_scope_of_set;
ALTER TABLE backup_sets DROP CONSTRAINT sets_schedule_of_tenant;
