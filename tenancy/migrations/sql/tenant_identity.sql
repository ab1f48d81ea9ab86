-- A tenant keeps its Entra tenant id and its workspace for as long as it exists.

CREATE FUNCTION tenants_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tenant %: its Entra tenant id and its workspace cannot be changed', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER tenants_identity_is_fixed BEFORE UPDATE OF external_id, workspace_id ON tenants
    FOR EACH ROW
    WHEN ((OLD.external_id, OLD.workspace_id) IS DISTINCT FROM (NEW.external_id, NEW.workspace_id))
    EXECUTE FUNCTION tenants_reject();
