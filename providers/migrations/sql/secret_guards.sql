-- The encrypted values of configurations belong to backups, which never change: a value keeps its
-- tenant, its setting and its place, and no value is deleted. Only its encryption is renewed.

CREATE FUNCTION configuration_secrets_guard() RETURNS trigger LANGUAGE plpgsql
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

CREATE TRIGGER configuration_secrets_are_kept BEFORE UPDATE OR DELETE ON configuration_secrets
    FOR EACH ROW EXECUTE FUNCTION configuration_secrets_guard();

CREATE TRIGGER configuration_secrets_no_truncate BEFORE TRUNCATE ON configuration_secrets
    EXECUTE FUNCTION configuration_secrets_guard();
