DROP TRIGGER sets_deleted_update_freshness ON backup_sets;
DROP TRIGGER sets_changed_update_freshness ON backup_sets;
DROP TRIGGER sets_inserted_update_freshness ON backup_sets;
DROP FUNCTION backup_sets_update_freshness();
DROP FUNCTION backup_freshness_update(bigint[]);
ALTER TABLE backup_freshness DROP CONSTRAINT backup_freshness_tenant_of_workspace;
