-- The encrypted values of configurations belong to backups, which never change: a value keeps its
-- tenant, its setting and its place. Its encryption is renewed, and retention deletes it when no
-- backup contains it.

CREATE OR REPLACE FUNCTION configuration_secrets_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.setting, NEW.created_at)
            IS NOT DISTINCT FROM
            (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.setting, OLD.created_at)
        THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' AND public.operation_runs_are_pruned() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a value of a configuration is kept as it is'
        USING ERRCODE = 'restrict_violation';
END $$;
