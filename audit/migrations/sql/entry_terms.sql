-- The terms by which the audit log finds an entry in an index: each three adjacent characters of the
-- object, its part, the user and the address, and the whole values of what its filters select.

CREATE FUNCTION audit_entry_terms(
    workspace_id bigint, tenant_id bigint, object_type text, action text,
    object_name text, part text, user_name text, address inet, reference text)
RETURNS text[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN search_trigrams(
        concat_ws(chr(10), object_name, part, user_name, host(address)))
        || array_remove(ARRAY[
            'workspace ' || workspace_id, 'tenant ' || tenant_id, 'kind ' || NULLIF(object_type, ''),
            'action ' || action, 'reference ' || upper(NULLIF(reference, ''))], NULL);
END $$;
