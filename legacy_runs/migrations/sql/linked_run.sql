-- The run that a legacy run is linked to belongs to the same tenant and has a matching type.
-- An earlier installation numbered its own runs, so the number alone proves nothing.

ALTER TABLE inventory_sync_runs ADD CONSTRAINT inventory_sync_runs_run
    FOREIGN KEY (operation_run_id) REFERENCES operation_runs (id) ON DELETE SET NULL;

ALTER TABLE entra_group_sync_runs ADD CONSTRAINT entra_group_sync_runs_run
    FOREIGN KEY (operation_run_id) REFERENCES operation_runs (id) ON DELETE SET NULL;

ALTER TABLE backup_schedule_runs ADD CONSTRAINT backup_schedule_runs_run
    FOREIGN KEY (operation_run_id) REFERENCES operation_runs (id) ON DELETE SET NULL;

CREATE FUNCTION legacy_runs_check_linked_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text[] := CASE TG_TABLE_NAME
        WHEN 'inventory_sync_runs' THEN ARRAY['inventory.sync']
        WHEN 'entra_group_sync_runs' THEN ARRAY['directory_groups.sync']
        WHEN 'backup_schedule_runs' THEN ARRAY['backup_schedule.scheduled',
            'backup_schedule.run_now', 'backup_schedule.retry'] END;
BEGIN
    IF NEW.operation_run_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM operation_runs run WHERE run.id = NEW.operation_run_id
        AND run.workspace_id = NEW.workspace_id AND run.tenant_id = NEW.tenant_id) THEN
        RAISE EXCEPTION '% %: the linked run belongs to another tenant', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.operation_run_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM operation_runs run WHERE run.id = NEW.operation_run_id
        AND run.type = ANY (wanted)) THEN
        RAISE EXCEPTION '% %: the linked run has a different type', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER inventory_sync_runs_check_linked_run BEFORE INSERT ON inventory_sync_runs
    FOR EACH ROW EXECUTE FUNCTION legacy_runs_check_linked_run();

CREATE TRIGGER entra_group_sync_runs_check_linked_run BEFORE INSERT ON entra_group_sync_runs
    FOR EACH ROW EXECUTE FUNCTION legacy_runs_check_linked_run();

CREATE TRIGGER backup_schedule_runs_check_linked_run BEFORE INSERT ON backup_schedule_runs
    FOR EACH ROW EXECUTE FUNCTION legacy_runs_check_linked_run();
