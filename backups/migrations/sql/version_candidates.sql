-- A content that no set refers to is found without reading all contents of its workspace: a new
-- content, and one that lost a reference, is a candidate. The function checks the candidates only.

CREATE FUNCTION policy_versions_add_candidate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.policy_version_candidates (workspace_id, version_id)
    VALUES (NEW.workspace_id, NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER versions_new_are_candidates AFTER INSERT ON policy_versions FOR EACH ROW
    EXECUTE FUNCTION policy_versions_add_candidate();

CREATE FUNCTION backup_items_add_candidate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.policy_version_candidates (workspace_id, version_id)
    VALUES (OLD.workspace_id, OLD.version_id);
    RETURN NULL;
END $$;

CREATE TRIGGER items_replaced_version_is_candidate AFTER UPDATE OF version_id ON backup_items
    FOR EACH ROW WHEN (OLD.version_id IS NOT NULL AND OLD.version_id IS DISTINCT FROM NEW.version_id)
    EXECUTE FUNCTION backup_items_add_candidate();

CREATE FUNCTION backup_items_add_candidates() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.policy_version_candidates (workspace_id, version_id)
    SELECT DISTINCT workspace_id, version_id FROM deleted WHERE version_id IS NOT NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER items_deleted_versions_are_candidates AFTER DELETE ON backup_items
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT
    EXECUTE FUNCTION backup_items_add_candidates();

-- Delete the contents of a workspace that no set refers to; return their number. Each call checks
-- up to ten thousand candidates. One whose content is locked stays: a backup may refer to it soon.
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

-- The contents that lost their last reference before, and were not deleted yet.
INSERT INTO policy_version_candidates (workspace_id, version_id)
SELECT workspace_id, id FROM policy_versions version
WHERE NOT EXISTS (SELECT FROM backup_items WHERE version_id = version.id);

REVOKE ALL ON FUNCTION
    policy_versions_add_candidate(),
    backup_items_add_candidate(),
    backup_items_add_candidates(),
    policy_versions_delete_unreferenced(bigint)
FROM PUBLIC;
