-- Changes from one backup set to the next. A set is compared once, with a set of the same tenant,
-- and a recorded change never changes. Only retention removes changes, and their references to sets.

ALTER TABLE backup_sets
    ADD CONSTRAINT sets_compared_with_own_tenant
        FOREIGN KEY (compared_with_id, tenant_id, workspace_id)
        REFERENCES backup_sets (id, tenant_id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE,
    ADD CONSTRAINT sets_compared_with_another CHECK (compared_with_id <> id);

CREATE TRIGGER sets_compared_once BEFORE UPDATE ON backup_sets FOR EACH ROW
    WHEN (OLD.compared_at IS NOT NULL
          AND ((OLD.compared_at, OLD.created_count, OLD.changed_count, OLD.removed_count)
               IS DISTINCT FROM
               (NEW.compared_at, NEW.created_count, NEW.changed_count, NEW.removed_count)
               OR OLD.compared_with_id IS DISTINCT FROM NEW.compared_with_id
               AND (NEW.compared_with_id IS NOT NULL OR NOT operation_runs_are_pruned())))
    EXECUTE FUNCTION backups_reject('its changes have been counted');

ALTER TABLE policy_changes
    ADD CONSTRAINT changes_set_of_tenant
        FOREIGN KEY (backup_set_id, tenant_id, workspace_id)
        REFERENCES backup_sets (id, tenant_id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE,
    ADD CONSTRAINT changes_previous_of_tenant
        FOREIGN KEY (previous_set_id, tenant_id, workspace_id)
        REFERENCES backup_sets (id, tenant_id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE,
    ADD CONSTRAINT changes_change_known CHECK (change IN ('created', 'changed', 'removed')),
    ADD CONSTRAINT changes_fields_valid CHECK (
        jsonb_typeof(fields) = 'array' AND jsonb_array_length(fields) <= 20
        AND jsonb_array_length(fields) <= field_count
        AND (change = 'changed' OR field_count = 0));

-- A change refers to items of its two sets, and to one object.
CREATE FUNCTION policy_changes_check_items() RETURNS trigger LANGUAGE plpgsql
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

CREATE TRIGGER changes_refer_to_their_items BEFORE INSERT ON policy_changes FOR EACH ROW
    EXECUTE FUNCTION policy_changes_check_items();

CREATE TRIGGER changes_never_change BEFORE UPDATE ON policy_changes FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('a recorded change cannot be changed');

CREATE TRIGGER changes_deleted_by_functions BEFORE DELETE ON policy_changes FOR EACH ROW
    WHEN (NOT operation_runs_are_pruned())
    EXECUTE FUNCTION backups_reject('only retention can delete a change');

CREATE TRIGGER changes_no_truncate BEFORE TRUNCATE ON policy_changes
    EXECUTE FUNCTION operation_history_reject();

-- The set to compare a set with: the last one of its schedule that is complete, or, because some
-- tenants never have a complete set, that is complete for the kinds that this set has listed.
CREATE FUNCTION backup_sets_earlier(target bigint) RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT earlier.id FROM public.backup_sets later
    JOIN public.backup_sets earlier ON earlier.schedule_id = later.schedule_id
        AND earlier.started_at < later.started_at AND earlier.id <> later.id
    WHERE later.id = target AND (
        earlier.status = 'complete'
        OR earlier.status = 'incomplete' AND earlier.incomplete_count = 0
           AND earlier.listed_kinds @> later.listed_kinds AND later.listed_kinds <> '{}')
    ORDER BY earlier.started_at DESC, earlier.id DESC LIMIT 1
$$;

-- The objects that differ between two sets. Only items that both sets read completely are compared.
-- A kind that one of the sets did not list completely has no created or no removed objects.
CREATE FUNCTION backup_sets_compare(later bigint, earlier bigint)
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

-- Delete up to `max_rows` changes of a tenant from before a time, at least thirty days ago.
CREATE FUNCTION policy_changes_remove(tenant bigint, before timestamptz, max_rows integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.policy_changes WHERE id = ANY (ARRAY(
        SELECT id FROM public.policy_changes
        WHERE tenant_id = tenant
          AND created_at < least(before, clock_timestamp() - interval '30 days')
        ORDER BY created_at, id LIMIT max_rows));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION policy_changes_remove(bigint, timestamptz, integer) FROM PUBLIC;
