-- Delete the encrypted values that no content refers to; return their number. Each call checks up to
-- a thousand values that are due. One that a content refers to is checked again after a day. A value
-- that is read again is not due for a week, and its row is locked for that: see `seal`.

CREATE FUNCTION configuration_secrets_delete_unneeded() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on'
-- Without statistics, the planner could read every content for each value.
SET enable_seqscan = off AS $$
DECLARE
    due uuid[];
    removed integer;
BEGIN
    due := ARRAY(
        SELECT id FROM public.configuration_secrets WHERE check_after <= clock_timestamp()
        ORDER BY check_after LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM public.configuration_secrets secret
    WHERE id = ANY (due)
      AND NOT EXISTS (
          SELECT FROM public.policy_versions
          WHERE payload ? 'omaSettings'
            AND jsonb_path_query_array(payload,
                '$.omaSettings[*].value ? (@ starts with "encrypted-value:")')
                @> jsonb_build_array('encrypted-value:' || secret.id));
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE public.configuration_secrets SET check_after = clock_timestamp() + interval '1 day'
    WHERE id = ANY (due);
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION configuration_secrets_delete_unneeded() FROM PUBLIC;
