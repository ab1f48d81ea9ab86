CREATE OR REPLACE FUNCTION backup_items_add_candidates() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.policy_version_candidates (workspace_id, version_id)
    SELECT DISTINCT workspace_id, version_id FROM deleted WHERE version_id IS NOT NULL;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION policy_versions_delete_unreferenced(workspace bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    candidates bigint[];
    unreferenced bigint[];
    referenced bigint[];
    removed integer;
BEGIN
    candidates := ARRAY(
        SELECT id FROM public.policy_version_candidates WHERE workspace_id = workspace
        ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED);
    unreferenced := ARRAY(
        SELECT id FROM public.policy_versions version
        WHERE workspace_id = workspace
          AND id IN (SELECT version_id FROM public.policy_version_candidates
                     WHERE id = ANY (candidates))
          AND NOT EXISTS (SELECT FROM public.backup_items WHERE version_id = version.id)
        FOR UPDATE SKIP LOCKED);
    -- Check again under the lock: a backup can have referred to a version in the meantime.
    DELETE FROM public.policy_versions version WHERE id = ANY (unreferenced)
      AND NOT EXISTS (SELECT FROM public.backup_items WHERE version_id = version.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    -- A transaction that is removing a reference may see only those that this one removed. Such a
    -- reference is locked and does not count; one that counts is removed after this transaction.
    referenced := ARRAY(
        SELECT candidate.id FROM public.policy_version_candidates candidate
        CROSS JOIN LATERAL (
            SELECT FROM public.backup_items WHERE version_id = candidate.version_id
            LIMIT 1 FOR SHARE SKIP LOCKED) item
        WHERE candidate.id = ANY (candidates));
    DELETE FROM public.policy_version_candidates candidate
    WHERE id = ANY (referenced)
       OR id = ANY (candidates)
          AND NOT EXISTS (SELECT FROM public.policy_versions WHERE id = candidate.version_id);
    RETURN removed;
END $$;
