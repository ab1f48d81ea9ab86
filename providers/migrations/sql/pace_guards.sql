-- The pace of a connection belongs to the tenant and the workspace of the connection, and never
-- moves: what workers of one tenant have sent does not slow down those of another.

ALTER TABLE connection_paces ADD CONSTRAINT connection_paces_connection_of_workspace
    FOREIGN KEY (connection_id, workspace_id) REFERENCES provider_connections (id, workspace_id)
    ON DELETE CASCADE DEFERRABLE INITIALLY IMMEDIATE;

CREATE FUNCTION connection_paces_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    owner record;
BEGIN
    SELECT tenant_id, workspace_id INTO owner
    FROM public.provider_connections WHERE id = NEW.connection_id;
    NEW.tenant_id := coalesce(NEW.tenant_id, owner.tenant_id);
    NEW.workspace_id := coalesce(NEW.workspace_id, owner.workspace_id);
    IF (NEW.tenant_id, NEW.workspace_id) IS DISTINCT FROM (owner.tenant_id, owner.workspace_id) THEN
        RAISE EXCEPTION 'a pace belongs to the tenant of its connection'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.connection_id <> OLD.connection_id THEN
        RAISE EXCEPTION 'a pace stays with its connection' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER connection_paces_of_their_connection
    BEFORE INSERT OR UPDATE OF connection_id, tenant_id, workspace_id ON connection_paces
    FOR EACH ROW EXECUTE FUNCTION connection_paces_guard();
