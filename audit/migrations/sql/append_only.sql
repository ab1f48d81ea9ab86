-- Only functions that run as the owner of the tables write the audit log, and nothing changes it.
-- Statement triggers also reject a statement that matches no row.

-- Whether the current user owns the audit log, as it does inside its functions.
CREATE FUNCTION audit_is_writer() RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT pg_has_role(current_user, relowner, 'MEMBER')
    FROM pg_class WHERE oid = 'public.audit_entries'::regclass
$$;

CREATE FUNCTION audit_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND public.audit_is_writer()
       OR TG_OP = 'DELETE' AND public.audit_is_writer()
          AND coalesce(current_setting('runledger.audit_retention', true) = 'on', false) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is not allowed: the audit log is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_entries_append_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON audit_entries
    EXECUTE FUNCTION audit_reject();

CREATE TRIGGER audit_links_append_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON audit_links
    EXECUTE FUNCTION audit_reject();
