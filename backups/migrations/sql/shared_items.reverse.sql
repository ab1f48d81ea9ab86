DROP TRIGGER sets_count_their_items ON backup_sets;
DROP FUNCTION backup_sets_check_counts();
DROP TRIGGER items_deleted_are_not_shared ON backup_items;
DROP FUNCTION backup_items_keep_shared();
DROP TRIGGER items_are_not_shared ON backup_items;
DROP FUNCTION backup_items_check_not_shared();
DROP TRIGGER items_complete_is_final ON backup_items;
DROP TRIGGER items_require_building ON backup_items;

-- Each set gets a copy of every item that it shares. An item without a set goes to the first set that
-- shares it.
UPDATE backup_items item SET set_id = first.set_id
FROM (SELECT item_id, min(set_id) AS set_id FROM backup_set_items GROUP BY item_id) first
WHERE item.id = first.item_id AND item.set_id IS NULL;

INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, version_id,
                          complete, missing, reason_code, captured_at, last_modified_at,
                          listed_hash)
SELECT item.workspace_id, item.tenant_id, member.set_id, item.kind, item.graph_id, item.name,
       item.version_id, item.complete, item.missing, item.reason_code,
       CASE WHEN member.is_read THEN backup_set.started_at ELSE item.captured_at END,
       item.last_modified_at, item.listed_hash
FROM backup_set_items member
JOIN backup_items item ON item.id = member.item_id AND item.set_id <> member.set_id
JOIN backup_sets backup_set ON backup_set.id = member.set_id
ORDER BY member.set_id, item.id;

SET CONSTRAINTS ALL IMMEDIATE;

CREATE TRIGGER items_require_building BEFORE INSERT OR UPDATE ON backup_items FOR EACH ROW
    EXECUTE FUNCTION backup_items_require_building();
CREATE TRIGGER items_complete_is_final BEFORE UPDATE ON backup_items FOR EACH ROW
    WHEN (OLD.complete) EXECUTE FUNCTION backups_reject('a complete item cannot be changed');

CREATE OR REPLACE FUNCTION backup_items_require_building() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM backup_sets WHERE id = NEW.set_id AND status = 'building' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'backup set %: it is finished', NEW.set_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION backup_sets_delete(target bigint) RETURNS boolean
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

CREATE OR REPLACE FUNCTION policy_changes_check_items() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.backup_set_id IS NULL OR NEW.previous_set_id IS NULL
       OR NEW.item_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM public.backup_items WHERE id = NEW.item_id AND set_id = NEW.backup_set_id
             AND kind = NEW.kind AND graph_id = NEW.graph_id)
       OR NEW.before_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM public.backup_items WHERE id = NEW.before_id AND set_id = NEW.previous_set_id
             AND kind = NEW.kind AND graph_id = NEW.graph_id)
    THEN
        RAISE EXCEPTION 'policy_changes: the items are not those of the object in both sets'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION backup_sets_compare(later bigint, earlier bigint)
RETURNS TABLE (change varchar, kind varchar, graph_id varchar, name varchar,
               item_id bigint, before_id bigint, content_hash varchar)
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, public, pg_temp AS $$
    WITH before AS (
        SELECT item.*, version.normalized_hash FROM public.backup_items item
        LEFT JOIN public.policy_versions version ON version.id = item.version_id
        WHERE item.set_id = earlier
    ), now AS (
        SELECT item.*, version.normalized_hash FROM public.backup_items item
        LEFT JOIN public.policy_versions version ON version.id = item.version_id
        WHERE item.set_id = later
    ), differing AS (
        SELECT kind, graph_id, COALESCE(now.name, before.name) AS name,
               now.id AS item_id, before.id AS before_id, now.complete AND before.complete
                   AND now.normalized_hash <> before.normalized_hash AS is_changed,
               now.complete AS is_complete, now.normalized_hash
        FROM before FULL JOIN now USING (kind, graph_id)
    )
    SELECT CASE WHEN before_id IS NULL THEN 'created' WHEN item_id IS NULL THEN 'removed'
           ELSE 'changed' END::varchar,
           kind, graph_id, name, item_id, before_id, COALESCE(normalized_hash, '')::varchar
    FROM differing
    WHERE is_changed
       OR before_id IS NULL AND is_complete
          AND kind = ANY ((SELECT listed_kinds FROM public.backup_sets WHERE id = earlier)::text[])
       OR item_id IS NULL
          AND kind = ANY ((SELECT listed_kinds FROM public.backup_sets WHERE id = later)::text[])
    ORDER BY kind, name, graph_id
$$;

DROP VIEW backup_set_items;
DROP FUNCTION backup_items_share(bigint, bigint[], varchar[], varchar[], timestamptz[]);
DROP FUNCTION backup_sets_contain(bigint, backup_items);
DROP TRIGGER shared_items_no_truncate ON backup_shared_items;
DROP TRIGGER shared_items_deleted_by_functions ON backup_shared_items;
DROP TRIGGER shared_items_never_change ON backup_shared_items;
DROP TRIGGER shared_items_can_be_shared ON backup_shared_items;
DROP FUNCTION backup_shared_items_check();
DROP FUNCTION backup_items_lock(bigint, boolean);
