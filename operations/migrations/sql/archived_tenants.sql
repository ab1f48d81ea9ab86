-- No run starts on an archived tenant. A run that ends as blocked at once can still be recorded.

CREATE FUNCTION operation_runs_require_unarchived() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.tenants WHERE id = NEW.tenant_id AND status = 'archived') THEN
        RAISE EXCEPTION 'operation run: tenant % is archived', NEW.tenant_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_not_on_archived_tenants BEFORE INSERT ON operation_runs FOR EACH ROW
    WHEN (NEW.status <> 'completed' AND NEW.tenant_id IS NOT NULL)
    EXECUTE FUNCTION operation_runs_require_unarchived();
