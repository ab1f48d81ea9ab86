-- The redacted form of a version is deleted with it, and never belongs to another one.

ALTER TABLE policy_version_redactions
    ADD CONSTRAINT redactions_version FOREIGN KEY (version_id)
        REFERENCES policy_versions (id) ON DELETE CASCADE,
    ADD CONSTRAINT redactions_patch_is_list CHECK (jsonb_typeof(patch) = 'array');

CREATE FUNCTION policy_version_redactions_keep_version() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a redaction cannot move to another version or to older rules'
        USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER redactions_keep_version BEFORE UPDATE ON policy_version_redactions FOR EACH ROW
    WHEN (NEW.version_id IS DISTINCT FROM OLD.version_id
          OR NEW.rules_version <= OLD.rules_version)
    EXECUTE FUNCTION policy_version_redactions_keep_version();
