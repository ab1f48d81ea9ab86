-- Only this function deletes entries: the oldest ones, with their links, at the begin of the chain.
-- It keeps a year whatever the setting is, the newest entry, and everything from the first entry
-- that is missing: that is evidence. An entry says what it removed, so that the chain still begins
-- where it should.
CREATE FUNCTION audit_remove_old(keep_days integer, max_entries integer, context jsonb)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.audit_retention = 'on' AS $$
DECLARE
    horizon timestamptz := clock_timestamp() - make_interval(days => greatest(keep_days, 365));
    first_position bigint;
    last_position bigint;
    last_hash bytea;
    removed integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('runledger.audit_links', 0)) THEN
        RETURN 0;
    END IF;
    SELECT min(position), max(position) - 1 INTO first_position, last_position
    FROM public.audit_links;
    SELECT coalesce(min(position) - 1, last_position) INTO last_position FROM (
        SELECT position FROM public.audit_links link
        LEFT JOIN public.audit_entries entry ON entry.id = link.entry_id
        WHERE entry.id IS NULL OR entry.created_at >= horizon
        ORDER BY position LIMIT 1) AS kept;
    last_position := least(last_position, first_position + max_entries - 1);
    SELECT hash INTO last_hash FROM public.audit_links WHERE position = last_position;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM public.audit_entries WHERE id IN (
        SELECT entry_id FROM public.audit_links WHERE position <= last_position);
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM public.audit_links WHERE position <= last_position;
    PERFORM public.audit_add(
        'retention', '', '', '', '', '{}', NULL, context, '{}',
        jsonb_build_object('removed', removed, 'last_position', last_position,
                           'last_hash', encode(last_hash, 'hex')));
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION audit_remove_old(integer, integer, jsonb) FROM PUBLIC;
