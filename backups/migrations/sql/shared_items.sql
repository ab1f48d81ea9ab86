-- A set contains its own items and items of earlier sets that it shares, because the object has not
-- changed since. A row of `backup_shared_items` has the ids of some of the latter.

-- The items of each set. `is_read`: whether a shared item was read again for the set. Ask for one set,
-- or for some items of one kind of one tenant: only these have an index.
CREATE VIEW backup_set_items WITH (security_invoker = true) AS
    SELECT set_id, id AS item_id, tenant_id, kind, NULL::boolean AS is_read
    FROM backup_items WHERE set_id IS NOT NULL
    UNION ALL
    SELECT set_id, unnest(item_ids), tenant_id, kind, is_read FROM backup_shared_items;

CREATE FUNCTION backup_sets_contain(target bigint, item backup_items) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT item.set_id IS NOT DISTINCT FROM target OR EXISTS (
        SELECT FROM public.backup_shared_items
        WHERE set_id = target AND kind = item.kind AND item.id = ANY (item_ids))
$$;

-- Sharing the items of a tenant excludes deleting some of them, until the end of the transaction.
CREATE FUNCTION backup_items_lock(tenant bigint, is_deleting boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    key CONSTANT bigint := hashtextextended('runledger.backup_items', tenant);
BEGIN
    IF is_deleting THEN
        PERFORM pg_advisory_xact_lock(key);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(key);
    END IF;
END $$;

-- Only a set that is being built can share items. They are complete, of the tenant, the workspace and
-- the kind of the row, and of objects that the set does not contain yet.
CREATE FUNCTION backup_shared_items_check() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    shared varchar[];
    shared_before bigint[];
BEGIN
    PERFORM public.backup_items_lock(NEW.tenant_id, false);
    -- Locked, so that another connection cannot add one of the objects at the same time.
    PERFORM FROM public.backup_sets WHERE id = NEW.set_id AND status = 'building' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'backup set %: it is finished', NEW.set_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    shared := ARRAY(
        SELECT graph_id FROM public.backup_items
        WHERE id = ANY (NEW.item_ids) AND complete AND tenant_id = NEW.tenant_id
          AND workspace_id = NEW.workspace_id AND kind = NEW.kind);
    IF cardinality(shared) <> cardinality(NEW.item_ids) THEN
        RAISE EXCEPTION 'backup set %: not all of the items can be shared', NEW.set_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    shared_before := ARRAY(
        SELECT unnest(item_ids) FROM public.backup_shared_items
        WHERE set_id = NEW.set_id AND kind = NEW.kind);
    IF (SELECT count(DISTINCT graph_id) FROM unnest(shared) AS graph_id) < cardinality(shared)
       OR EXISTS (SELECT FROM public.backup_items
                  WHERE set_id = NEW.set_id AND kind = NEW.kind AND graph_id = ANY (shared))
       OR EXISTS (SELECT id FROM public.backup_items
                  WHERE tenant_id = NEW.tenant_id AND kind = NEW.kind AND graph_id = ANY (shared)
                  INTERSECT SELECT unnest(shared_before))
    THEN
        RAISE EXCEPTION 'backup set %: it contains one of the objects already', NEW.set_id
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER shared_items_can_be_shared BEFORE INSERT ON backup_shared_items FOR EACH ROW
    EXECUTE FUNCTION backup_shared_items_check();

CREATE TRIGGER shared_items_never_change BEFORE UPDATE ON backup_shared_items FOR EACH ROW
    EXECUTE FUNCTION backups_reject('shared items cannot be changed');

CREATE TRIGGER shared_items_deleted_by_functions BEFORE DELETE ON backup_shared_items FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('only retention can delete shared items');

CREATE TRIGGER shared_items_no_truncate BEFORE TRUNCATE ON backup_shared_items
    EXECUTE FUNCTION operation_history_reject();

ALTER TABLE backup_shared_items
    ADD CONSTRAINT shared_items_scope_of_set FOREIGN KEY (set_id, tenant_id, workspace_id)
        REFERENCES backup_sets (id, tenant_id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE,
    ADD CONSTRAINT shared_items_not_empty CHECK (
        cardinality(item_ids) > 0 AND array_ndims(item_ids) = 1
        AND array_position(item_ids, NULL) IS NULL);

-- An item stays the item of one object in one set. When its set is deleted, it stays without a set
-- as long as others share it.
CREATE OR REPLACE FUNCTION backup_items_require_building() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.set_id IS NULL AND OLD.complete AND public.operation_runs_are_pruned() THEN
            RETURN NEW;
        END IF;
        IF (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.set_id, OLD.kind, OLD.graph_id)
           IS DISTINCT FROM
           (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.set_id, NEW.kind, NEW.graph_id)
        THEN
            RAISE EXCEPTION 'backup item %: it is the item of another object', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    PERFORM FROM public.backup_sets WHERE id = NEW.set_id AND status = 'building' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'backup set %: it is finished', NEW.set_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER items_complete_is_final ON backup_items;
CREATE TRIGGER items_complete_is_final BEFORE UPDATE ON backup_items FOR EACH ROW
    WHEN (OLD.complete AND (
        NOT operation_runs_are_pruned()
        OR (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.kind, OLD.graph_id, OLD.name,
            OLD.version_id, OLD.complete, OLD.missing, OLD.reason_code, OLD.captured_at,
            OLD.last_modified_at, OLD.listed_hash)
           IS DISTINCT FROM
           (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.kind, NEW.graph_id, NEW.name,
            NEW.version_id, NEW.complete, NEW.missing, NEW.reason_code, NEW.captured_at,
            NEW.last_modified_at, NEW.listed_hash)))
    EXECUTE FUNCTION backups_reject('a complete item cannot be changed');

CREATE FUNCTION backup_items_check_not_shared() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    added record;
    shared bigint[];
BEGIN
    FOR added IN
        SELECT set_id, kind, array_agg(graph_id) AS graph_ids FROM inserted GROUP BY set_id, kind
    LOOP
        shared := ARRAY(
            SELECT unnest(item_ids) FROM public.backup_shared_items
            WHERE set_id = added.set_id AND kind = added.kind);
        IF EXISTS (SELECT graph_id FROM public.backup_items WHERE id = ANY (shared)
                   INTERSECT SELECT unnest(added.graph_ids))
        THEN
            RAISE EXCEPTION 'backup set %: it shares an item of the object already', added.set_id
                USING ERRCODE = 'unique_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER items_are_not_shared AFTER INSERT ON backup_items
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT
    EXECUTE FUNCTION backup_items_check_not_shared();

CREATE FUNCTION backup_items_keep_shared() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    removed record;
BEGIN
    FOR removed IN
        SELECT tenant_id, kind, array_agg(id) AS ids FROM deleted WHERE complete
        GROUP BY tenant_id, kind
    LOOP
        IF EXISTS (
            SELECT unnest(removed.ids)
            INTERSECT SELECT unnest(item_ids) FROM public.backup_shared_items
            WHERE tenant_id = removed.tenant_id AND kind = removed.kind)
        THEN
            RAISE EXCEPTION 'backup_items: a set shares one of the items'
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER items_deleted_are_not_shared AFTER DELETE ON backup_items
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT
    EXECUTE FUNCTION backup_items_keep_shared();

-- The number of items of a finished set is right: neither can change afterward.
CREATE FUNCTION backup_sets_check_counts() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.item_count, NEW.incomplete_count) <> (
        SELECT count(*) + (SELECT coalesce(sum(cardinality(item_ids)), 0)
                           FROM public.backup_shared_items WHERE set_id = NEW.id),
               count(*) FILTER (WHERE NOT complete)
        FROM public.backup_items WHERE set_id = NEW.id)
    THEN
        RAISE EXCEPTION 'backup set %: it has another number of items', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER sets_count_their_items BEFORE UPDATE OF status ON backup_sets FOR EACH ROW
    WHEN (OLD.status = 'building' AND NEW.status <> 'building')
    EXECUTE FUNCTION backup_sets_check_counts();

-- Replace items of a set that is being built by the last items of the same objects in other sets, if
-- what was read equals these; return the ids of the replaced items. A set shares an item that has the
-- same content, name, time of the last change and entry in the list.
CREATE FUNCTION backup_items_share(
    target bigint, items bigint[], content_hashes varchar[], names varchar[],
    modified timestamptz[])
RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    replaced bigint[];
    shared bigint[];
BEGIN
    PERFORM public.backup_items_lock(tenant_id, false) FROM public.backup_sets WHERE id = target;
    SELECT array_agg(own.id), array_agg(latest.id) INTO replaced, shared
    FROM unnest(items, content_hashes, names, modified)
        AS was_read (item_id, content_hash, name, last_modified_at)
    JOIN public.backup_items own ON own.id = was_read.item_id AND own.set_id = target
        AND NOT own.complete AND own.version_id IS NULL
    CROSS JOIN LATERAL (
        SELECT * FROM public.backup_items
        WHERE tenant_id = own.tenant_id AND kind = own.kind AND graph_id = own.graph_id
          AND version_id IS NOT NULL
        ORDER BY id DESC LIMIT 1) latest
    JOIN public.policy_versions version ON version.id = latest.version_id
    WHERE latest.complete AND version.content_hash = was_read.content_hash
      AND latest.name = was_read.name AND latest.listed_hash = own.listed_hash
      AND latest.last_modified_at IS NOT DISTINCT FROM was_read.last_modified_at;
    IF replaced IS NOT NULL THEN
        DELETE FROM public.backup_items WHERE id = ANY (replaced);
        INSERT INTO public.backup_shared_items
            (workspace_id, tenant_id, set_id, kind, is_read, item_ids)
        SELECT workspace_id, tenant_id, target, kind, true, array_agg(id ORDER BY id)
        FROM public.backup_items WHERE id = ANY (shared)
        GROUP BY workspace_id, tenant_id, kind;
    END IF;
    RETURN coalesce(replaced, '{}');
END $$;

-- Delete a set; return whether it was deleted. A set of a schedule must have expired. A set without a
-- schedule must be finished and in use by no active run. A set that is being built must be empty. Of
-- its items, those that another set shares stay.
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
    UPDATE public.backup_items SET set_id = NULL WHERE set_id = target;
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

-- A change refers to items of its two sets, and to one object.
CREATE OR REPLACE FUNCTION policy_changes_check_items() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.backup_set_id IS NULL OR NEW.previous_set_id IS NULL
       OR NEW.item_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM public.backup_items item WHERE id = NEW.item_id
             AND kind = NEW.kind AND graph_id = NEW.graph_id
             AND public.backup_sets_contain(NEW.backup_set_id, item))
       OR NEW.before_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM public.backup_items item WHERE id = NEW.before_id
             AND kind = NEW.kind AND graph_id = NEW.graph_id
             AND public.backup_sets_contain(NEW.previous_set_id, item))
    THEN
        RAISE EXCEPTION 'policy_changes: the items are not those of the object in both sets'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;

-- The objects that differ between two sets. Only items that both sets read completely are compared.
-- An item that both sets contain is the same. A kind that one of the sets did not list completely has
-- no created or no removed objects.
CREATE OR REPLACE FUNCTION backup_sets_compare(later bigint, earlier bigint)
RETURNS TABLE (change varchar, kind varchar, graph_id varchar, name varchar,
               item_id bigint, before_id bigint, content_hash varchar)
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, public, pg_temp AS $$
    WITH before AS (
        SELECT item.*, version.normalized_hash
        FROM (SELECT member.item_id FROM public.backup_set_items member WHERE set_id = earlier
              EXCEPT
              SELECT member.item_id FROM public.backup_set_items member WHERE set_id = later) differing_id
        JOIN public.backup_items item ON item.id = differing_id.item_id
        LEFT JOIN public.policy_versions version ON version.id = item.version_id
    ), now AS (
        SELECT item.*, version.normalized_hash
        FROM (SELECT member.item_id FROM public.backup_set_items member WHERE set_id = later
              EXCEPT
              SELECT member.item_id FROM public.backup_set_items member WHERE set_id = earlier) differing_id
        JOIN public.backup_items item ON item.id = differing_id.item_id
        LEFT JOIN public.policy_versions version ON version.id = item.version_id
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

REVOKE ALL ON FUNCTION
    backup_items_share(bigint, bigint[], varchar[], varchar[], timestamptz[])
FROM PUBLIC;
