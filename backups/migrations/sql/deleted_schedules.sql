-- A deleted schedule stays as it is, and schedules of an archived tenant are paused.

CREATE FUNCTION backup_schedules_stay_deleted() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Accounts can be deleted.
    IF to_jsonb(OLD) - 'paused_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'paused_by_id'
            OR NEW.paused_by_id IS NOT NULL
               AND OLD.paused_by_id IS DISTINCT FROM NEW.paused_by_id THEN
        RAISE EXCEPTION 'schedule %: a deleted schedule cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER schedules_stay_deleted BEFORE UPDATE ON backup_schedules FOR EACH ROW
    WHEN (OLD.deleted_at IS NOT NULL) EXECUTE FUNCTION backup_schedules_stay_deleted();

CREATE FUNCTION backup_schedules_require_unarchived() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    tenant_status text;
BEGIN
    -- The lock waits for a transaction that archives the tenant.
    SELECT status INTO tenant_status FROM public.tenants WHERE id = NEW.tenant_id FOR SHARE;
    IF tenant_status = 'archived' THEN
        RAISE EXCEPTION 'schedule: tenant % is archived', NEW.tenant_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER schedules_begin_on_unarchived_tenants BEFORE INSERT ON backup_schedules FOR EACH ROW
    WHEN (NEW.paused_at IS NULL) EXECUTE FUNCTION backup_schedules_require_unarchived();

CREATE TRIGGER schedules_resume_on_unarchived_tenants BEFORE UPDATE OF paused_at ON backup_schedules
    FOR EACH ROW WHEN (OLD.paused_at IS NOT NULL AND NEW.paused_at IS NULL)
    EXECUTE FUNCTION backup_schedules_require_unarchived();

CREATE FUNCTION tenants_require_paused_schedules() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.tenants WHERE id = NEW.id AND status = 'archived')
            AND EXISTS (SELECT FROM public.backup_schedules
                        WHERE tenant_id = NEW.id AND paused_at IS NULL) THEN
        RAISE EXCEPTION 'tenant %: its schedules are not paused', NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER tenants_archived_without_schedules
    AFTER INSERT OR UPDATE OF status ON tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'archived') EXECUTE FUNCTION tenants_require_paused_schedules();
