-- A deleted item makes its content a candidate only if no other item refers to it, and the check of a
-- candidate writes to an item only if a transaction has marked it.

CREATE OR REPLACE FUNCTION backup_items_add_candidates() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Each transaction marks the items that it deletes (`xmax`) before it looks for others. So of two that
    -- delete the last two references at once, one finds the mark of the other, and adds the candidate.
    INSERT INTO public.policy_version_candidates (workspace_id, version_id)
    SELECT removed.workspace_id, removed.version_id
    FROM (SELECT DISTINCT workspace_id, version_id FROM deleted WHERE version_id IS NOT NULL) removed
    LEFT JOIN LATERAL (
        SELECT id FROM public.backup_items
        WHERE version_id = removed.version_id AND xmax = 0 LIMIT 1) other ON true
    WHERE other.id IS NULL;
    RETURN NULL;
END $$;

-- As before, except for what counts as a reference.
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
    -- A reference without a mark counts: the transaction that removes it later finds the others.
    referenced := ARRAY(
        SELECT candidate.id FROM public.policy_version_candidates candidate
        CROSS JOIN LATERAL (
            SELECT FROM public.backup_items
            WHERE version_id = candidate.version_id AND xmax = 0 LIMIT 1) item
        WHERE candidate.id = ANY (candidates));
    DELETE FROM public.policy_version_candidates WHERE id = ANY (referenced);
    -- A mark can be that of a transaction which has ended. A transaction that is removing a reference may
    -- see only those that this one removed. Such a reference is locked and does not count; one that counts
    -- is removed after this transaction.
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
