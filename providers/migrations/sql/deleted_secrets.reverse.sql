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
    END IF;
    RAISE EXCEPTION 'a value of a configuration is kept as it is'
        USING ERRCODE = 'restrict_violation';
END $$;
