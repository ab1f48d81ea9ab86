-- Deleting a set costs less.

-- Only functions delete items, contents and what sets share, as before. Whether one of them is deleting
-- is asked once for each statement instead of once for each row. A statement that matches no row is
-- rejected too.

CREATE FUNCTION backups_reject_statement() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER items_deleted_by_functions ON backup_items;
CREATE TRIGGER items_deleted_by_functions BEFORE DELETE ON backup_items FOR EACH STATEMENT
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject_statement('only retention can delete an item');

DROP TRIGGER versions_deleted_by_functions ON policy_versions;
CREATE TRIGGER versions_deleted_by_functions BEFORE DELETE ON policy_versions FOR EACH STATEMENT
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject_statement('only retention can delete a version');

DROP TRIGGER shared_items_deleted_by_functions ON backup_shared_items;
CREATE TRIGGER shared_items_deleted_by_functions BEFORE DELETE ON backup_shared_items
    FOR EACH STATEMENT WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject_statement('only retention can delete shared items');

-- As before, except that each column with a reference is updated once, however many keys it has.
CREATE OR REPLACE FUNCTION backup_sets_delete(target bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    backup_set public.backup_sets;
    shared bigint[];
    unshared bigint[];
    reference record;
BEGIN
    PERFORM public.backup_items_lock(tenant_id, true) FROM public.backup_sets WHERE id = target;
    SELECT * INTO backup_set FROM public.backup_sets WHERE id = target FOR UPDATE;
    IF backup_set.id IS NULL OR NOT (CASE
        WHEN backup_set.status = 'building'
            THEN NOT EXISTS (SELECT FROM public.backup_set_items WHERE set_id = target)
        WHEN backup_set.schedule_id IS NOT NULL
            THEN target IN (SELECT public.backup_sets_expired(backup_set.schedule_id))
        ELSE target IS DISTINCT FROM public.backup_sets_last_complete(backup_set.tenant_id)
            AND NOT EXISTS (
                SELECT FROM public.operation_runs run
                WHERE run.tenant_id = backup_set.tenant_id AND run.status IN ('queued', 'running')
                  AND (run.id = backup_set.operation_run_id
                       OR run.context->>'backup_set_id' = target::text))
        END)
    THEN
        RETURN false;
    END IF;
    shared := ARRAY(SELECT unnest(item_ids) FROM public.backup_shared_items WHERE set_id = target);
    DELETE FROM public.backup_shared_items WHERE set_id = target;
    -- Its own items, and those that it shares and whose own set was deleted before. Almost all are in
    -- the backup before or after it. Only for others, all sets of the tenant are searched.
    unshared := ARRAY(
        SELECT id FROM public.backup_items WHERE set_id = target
        UNION ALL
        SELECT id FROM public.backup_items WHERE id = ANY (shared) AND coalesce(set_id, 0) = 0);
    unshared := ARRAY(
        SELECT unnest(unshared)
        EXCEPT SELECT unnest(item_ids) FROM public.backup_shared_items WHERE set_id IN (
            (SELECT max(id) FROM public.backup_sets
             WHERE schedule_id = backup_set.schedule_id AND id < target),
            (SELECT min(id) FROM public.backup_sets
             WHERE schedule_id = backup_set.schedule_id AND id > target)));
    IF unshared <> '{}' THEN
        unshared := ARRAY(
            SELECT unnest(unshared)
            EXCEPT SELECT unnest(item_ids) FROM public.backup_shared_items
            WHERE tenant_id = backup_set.tenant_id AND kind = ANY (ARRAY(
                SELECT DISTINCT kind FROM public.backup_items WHERE id = ANY (unshared))));
        DELETE FROM public.backup_items WHERE id = ANY (unshared);
    END IF;
    -- Every optional reference of any app, and of the items that stay.
    FOR reference IN
        SELECT DISTINCT key.conrelid::regclass AS table_name, attribute.attname AS column_name
        FROM pg_constraint key JOIN pg_attribute attribute
            ON attribute.attrelid = key.conrelid AND attribute.attnum = key.conkey[1]
        WHERE key.confrelid = 'public.backup_sets'::regclass AND key.contype = 'f'
          AND key.confdeltype = 'a' AND NOT attribute.attnotnull
    LOOP
        EXECUTE format('UPDATE %1$s SET %2$I = NULL WHERE %2$I = $1',
                       reference.table_name, reference.column_name) USING target;
    END LOOP;
    DELETE FROM public.backup_sets WHERE id = target;
    RETURN true;
END $$;

-- As before, except that candidates whose content was deleted are not checked for references.
CREATE OR REPLACE FUNCTION policy_versions_delete_unreferenced(workspace bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    candidates bigint[];
    unreferenced bigint[];
    referenced bigint[];
    removed integer;
    settled integer;
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
    DELETE FROM public.policy_version_candidates candidate
    WHERE id = ANY (candidates)
      AND NOT EXISTS (SELECT FROM public.policy_versions WHERE id = candidate.version_id);
    GET DIAGNOSTICS settled = ROW_COUNT;
    IF settled = cardinality(candidates) THEN
        RETURN removed;
    END IF;
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
    DELETE FROM public.policy_version_candidates WHERE id = ANY (referenced);
    RETURN removed;
END $$;
