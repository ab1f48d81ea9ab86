-- A set, its schedule, its items and their versions belong to the same tenant and workspace.

ALTER TABLE backup_sets ADD CONSTRAINT sets_schedule_of_tenant
    FOREIGN KEY (schedule_id, tenant_id) REFERENCES backup_schedules (id, tenant_id)
    DEFERRABLE INITIALLY IMMEDIATE;

ALTER TABLE backup_items ADD CONSTRAINT items_scope_of_set
    FOREIGN KEY (set_id, tenant_id, workspace_id)
    REFERENCES backup_sets (id, tenant_id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE;

ALTER TABLE backup_items ADD CONSTRAINT items_version_of_workspace
    FOREIGN KEY (version_id, workspace_id) REFERENCES policy_versions (id, workspace_id)
    DEFERRABLE INITIALLY IMMEDIATE;
