-- Legacy runs are read-only: only the import adds rows, also for statements that match no row.
-- An UPDATE passes only as the referential action that removes the link to a deleted run.

CREATE FUNCTION legacy_runs_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('runledger.legacy_import', true) = 'on'
       OR TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is not allowed: legacy runs are read-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER inventory_sync_runs_read_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON inventory_sync_runs
    EXECUTE FUNCTION legacy_runs_reject();

CREATE TRIGGER entra_group_sync_runs_read_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON entra_group_sync_runs
    EXECUTE FUNCTION legacy_runs_reject();

CREATE TRIGGER backup_schedule_runs_read_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON backup_schedule_runs
    EXECUTE FUNCTION legacy_runs_reject();

CREATE FUNCTION legacy_runs_unlink_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.operation_run_id IS NULL OR NEW.operation_run_id IS NOT NULL
       OR to_jsonb(OLD) - 'operation_run_id' <> to_jsonb(NEW) - 'operation_run_id'
       OR EXISTS (SELECT FROM operation_runs WHERE id = OLD.operation_run_id) THEN
        RAISE EXCEPTION '% %: legacy runs are read-only', TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER inventory_sync_runs_unlink_only BEFORE UPDATE ON inventory_sync_runs
    FOR EACH ROW EXECUTE FUNCTION legacy_runs_unlink_only();

CREATE TRIGGER entra_group_sync_runs_unlink_only BEFORE UPDATE ON entra_group_sync_runs
    FOR EACH ROW EXECUTE FUNCTION legacy_runs_unlink_only();

CREATE TRIGGER backup_schedule_runs_unlink_only BEFORE UPDATE ON backup_schedule_runs
    FOR EACH ROW EXECUTE FUNCTION legacy_runs_unlink_only();
