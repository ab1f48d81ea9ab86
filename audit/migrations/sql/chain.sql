-- Each entry is sealed by a hash over it and the hash before. A tick adds the links, so that no
-- change waits for another one.

-- The hash of an entry after the previous link. A new column of the table is not part of it: entries
-- that are sealed already must keep their hash.
CREATE FUNCTION audit_hash(previous bytea, entry audit_entries) RETURNS bytea LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(
        entry.id, to_char(entry.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        entry.action, entry.object_type, entry.object_id, entry.object_name, entry.part,
        entry.workspace_id, entry.tenant_id, entry.user_id, entry.user_name, entry.origin,
        host(entry.address), entry.reference, entry.database_role, entry.changes, entry.details
    )::text, 'UTF8'))
$$;

-- Seal up to `max_entries` entries in the order of their ids; return how many. Entries that were
-- committed late are among the last `recent` ids. Another session that seals makes it return 0.
CREATE FUNCTION audit_seal(max_entries integer, recent bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    link public.audit_links;
    entry public.audit_entries;
    sealed integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('runledger.audit_links', 0)) THEN
        RETURN 0;
    END IF;
    SELECT * INTO link FROM public.audit_links ORDER BY position DESC LIMIT 1;
    link.position := coalesce(link.position, 0);
    link.hash := coalesce(link.hash, '\x');
    FOR entry IN
        SELECT * FROM public.audit_entries unsealed
        WHERE id > (SELECT coalesce(max(entry_id), 0) FROM public.audit_links) - recent
          AND NOT EXISTS (SELECT FROM public.audit_links WHERE entry_id = unsealed.id)
        ORDER BY id LIMIT max_entries
    LOOP
        INSERT INTO public.audit_links (position, entry_id, previous_hash, hash)
        VALUES (link.position + 1, entry.id, link.hash, public.audit_hash(link.hash, entry))
        RETURNING * INTO link;
        sealed := sealed + 1;
    END LOOP;
    RETURN sealed;
END $$;

REVOKE ALL ON FUNCTION audit_seal(integer, bigint) FROM PUBLIC;
