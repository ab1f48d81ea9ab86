-- Only these functions delete sets, their items and contents. They run as the owner of the tables and
-- check each row themselves: that a schedule no longer keeps its set, that the set is not the last
-- complete one of its tenant, and that no set refers to a content.

CREATE TRIGGER sets_deleted_by_functions BEFORE DELETE ON backup_sets FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('only retention can delete a set');

CREATE TRIGGER items_deleted_by_functions BEFORE DELETE ON backup_items FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('only retention can delete an item');

CREATE TRIGGER versions_deleted_by_functions BEFORE DELETE ON policy_versions FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('only retention can delete a version');

CREATE TRIGGER sets_no_truncate BEFORE TRUNCATE ON backup_sets
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER items_no_truncate BEFORE TRUNCATE ON backup_items
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER versions_no_truncate BEFORE TRUNCATE ON policy_versions
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER revisions_no_truncate BEFORE TRUNCATE ON backup_schedule_revisions
    EXECUTE FUNCTION operation_history_reject();

-- An export is stored once; later only its archive is removed, after it has expired.
CREATE TRIGGER exports_only_expire BEFORE UPDATE ON policy_exports FOR EACH ROW
    WHEN ((OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.file_name, OLD.size, OLD.sha256,
           OLD.item_count, OLD.incomplete_count, OLD.created_at, OLD.expires_at)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.file_name, NEW.size, NEW.sha256,
           NEW.item_count, NEW.incomplete_count, NEW.created_at, NEW.expires_at)
          OR NEW.operation_run_id IS NOT NULL
             AND OLD.operation_run_id IS DISTINCT FROM NEW.operation_run_id
          OR OLD.archive IS DISTINCT FROM NEW.archive
             AND (NEW.archive IS NOT NULL OR OLD.expires_at > clock_timestamp()))
    EXECUTE FUNCTION backups_reject('an export cannot be changed before it has expired');

CREATE TRIGGER exports_are_kept BEFORE DELETE ON policy_exports FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('an export cannot be deleted');

-- The last complete backup of a tenant, which is always kept.
CREATE FUNCTION backup_sets_last_complete(tenant bigint) RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT id FROM public.backup_sets
    WHERE tenant_id = tenant AND status = 'complete' AND purpose = 'schedule'
    ORDER BY ended_at DESC, id DESC LIMIT 1
$$;

-- The sets that a schedule no longer keeps, oldest first. It keeps recent sets, its newest complete
-- ones, its last incomplete one, and the last complete one of its tenant.
CREATE FUNCTION backup_sets_expired(schedule bigint) RETURNS SETOF bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT expired.id
    FROM public.backup_schedules kept_by JOIN public.backup_sets expired
        ON expired.schedule_id = kept_by.id
    WHERE kept_by.id = schedule AND expired.status <> 'building'
      AND expired.ended_at < clock_timestamp() - make_interval(days => kept_by.retention_keep_days)
      AND expired.id IS DISTINCT FROM public.backup_sets_last_complete(kept_by.tenant_id)
      AND expired.id NOT IN (
          SELECT id FROM public.backup_sets
          WHERE schedule_id = schedule AND status = 'complete' AND purpose = 'schedule'
          ORDER BY ended_at DESC, id DESC LIMIT kept_by.retention_keep_sets)
      AND expired.id NOT IN (
          SELECT id FROM public.backup_sets WHERE schedule_id = schedule AND status = 'incomplete'
          ORDER BY ended_at DESC, id DESC LIMIT 1)
    ORDER BY expired.ended_at, expired.id
$$;

-- Delete a set with its items; return whether it was deleted. A set of a schedule must have expired.
-- A set without a schedule must be finished and in use by no active run. A set that is being built
-- must be empty.
CREATE FUNCTION backup_sets_delete(target bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    backup_set public.backup_sets;
    reference record;
BEGIN
    SELECT * INTO backup_set FROM public.backup_sets WHERE id = target FOR UPDATE;
    IF backup_set.id IS NULL OR NOT (CASE
        WHEN backup_set.status = 'building'
            THEN NOT EXISTS (SELECT FROM public.backup_items WHERE set_id = target)
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
    DELETE FROM public.backup_items WHERE set_id = target;
    -- Every optional reference of any app.
    FOR reference IN
        SELECT key.conrelid::regclass AS table_name, attribute.attname AS column_name
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

-- Remove an object from the list of a set that is being built, because it no longer exists.
CREATE FUNCTION backup_items_remove(item bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
BEGIN
    DELETE FROM public.backup_items removed USING public.backup_sets backup_set
    WHERE removed.id = item AND NOT removed.complete
      AND backup_set.id = removed.set_id AND backup_set.status = 'building';
    RETURN FOUND;
END $$;

-- Delete the contents of a workspace that no set refers to; return their number.
CREATE FUNCTION policy_versions_delete_unreferenced(workspace bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    unreferenced bigint[];
    removed integer;
BEGIN
    unreferenced := ARRAY(
        SELECT id FROM public.policy_versions version
        WHERE workspace_id = workspace
          AND NOT EXISTS (SELECT FROM public.backup_items WHERE version_id = version.id)
        FOR UPDATE SKIP LOCKED);
    -- Check again under the lock: a backup can have referred to a version in the meantime.
    DELETE FROM public.policy_versions version WHERE id = ANY (unreferenced)
      AND NOT EXISTS (SELECT FROM public.backup_items WHERE version_id = version.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION
    backup_sets_delete(bigint),
    backup_items_remove(bigint),
    policy_versions_delete_unreferenced(bigint)
FROM PUBLIC;
