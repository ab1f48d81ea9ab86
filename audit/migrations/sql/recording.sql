-- Every change of an audited table is an entry, also one by plain SQL. The application sends along who
-- makes it (audit/context.py); a change without that is direct SQL.

-- Add an entry to each of these workspaces, or one without a workspace.
CREATE FUNCTION audit_add(
    action text, object_type text, object_id text, object_name text, part text,
    workspaces bigint[], tenant bigint, context jsonb, changes jsonb, details jsonb
) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO public.audit_entries (created_at, action, object_type, object_id, object_name, part,
        workspace_id, tenant_id, user_id, user_name, origin, address, reference, database_role,
        changes, details)
    SELECT clock_timestamp(), action, object_type, coalesce(object_id, ''),
           left(coalesce(object_name, ''), 300), left(coalesce(part, ''), 300), workspace, tenant,
           (context ->> 'user_id')::bigint, left(coalesce(context ->> 'user_name', ''), 150),
           left(coalesce(context ->> 'origin', 'direct SQL'), 100),
           CASE WHEN context IS NULL THEN inet_client_addr()
                ELSE (context ->> 'address')::inet END,
           left(coalesce(context ->> 'reference', ''), 40), session_user, changes, details
    FROM unnest(CASE WHEN cardinality(workspaces) > 0 THEN workspaces
                     ELSE ARRAY[NULL::bigint] END) AS workspace
$$;

-- The values that `path` names: of a column of the row, or of other rows: column>table.key.value
CREATE FUNCTION audit_values(row_values jsonb, path text) RETURNS text[] LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    parts text[] := regexp_match(path, '^(\w+)>(\w+)\.(\w+)\.(\w+)$');
    found_values text[];
BEGIN
    IF parts IS NULL THEN
        RETURN ARRAY[row_values ->> path];
    END IF;
    EXECUTE format('SELECT array_agg(%I::text) FROM public.%I WHERE %I = %L',
                   parts[4], parts[2], parts[3], row_values ->> parts[1])
        INTO found_values;
    RETURN coalesce(found_values, '{}');
END $$;

-- The columns that differ, with their values before and after; secrets only as "changed". An empty
-- value of a new or deleted row is no difference.
CREATE FUNCTION audit_differences(before jsonb, after jsonb, options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE
        WHEN options -> 'secrets' ? key THEN '"changed"'
        ELSE jsonb_build_array(before -> key, after -> key) END), '{}')
    FROM jsonb_object_keys(coalesce(after, before)) AS key
    WHERE before -> key IS DISTINCT FROM after -> key
      AND NOT coalesce(options -> 'ignored' ? key, false)
      AND (options -> 'only' IS NULL OR options -> 'only' ? key)
      AND (before IS NOT NULL AND after IS NOT NULL
           OR coalesce(after -> key, before -> key) NOT IN ('null', '""', '[]', '{}'))
$$;

-- The trigger of every audited table; its argument holds the options of audit/registry.py.
CREATE FUNCTION audit_record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    options jsonb := TG_ARGV[0];
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    row_values jsonb := coalesce(after, before);
    differences jsonb := public.audit_differences(before, after, options);
    part_of jsonb := options -> 'part_of';
BEGIN
    IF TG_OP = 'UPDATE' AND differences = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM public.audit_add(
        CASE WHEN part_of IS NOT NULL OR TG_OP = 'UPDATE' THEN 'updated'
             WHEN TG_OP = 'INSERT' THEN 'created' ELSE 'deleted' END,
        coalesce(part_of ->> 0, TG_TABLE_NAME),
        row_values ->> coalesce(part_of ->> 1, 'id'),
        (public.audit_values(row_values, options ->> 'name'))[1],
        (public.audit_values(row_values, options ->> 'part'))[1],
        array_remove(public.audit_values(row_values, options ->> 'workspace'), NULL)::bigint[],
        (public.audit_values(row_values, options ->> 'tenant'))[1]::bigint,
        nullif(current_setting('runledger.audit', true), '')::jsonb,
        differences, '{}');
    RETURN NULL;
END $$;

-- An event that is no change of a row. One about a user is an entry of each workspace of that user,
-- unless it names a workspace.
CREATE FUNCTION audit_record_event(
    event text, about_user bigint, object_name text, workspace bigint, details jsonb, context jsonb
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF event IN ('created', 'updated', 'deleted', 'retention') THEN
        RAISE EXCEPTION 'The event % is not allowed: only the database records it', event
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM public.audit_add(
        event, CASE WHEN about_user IS NULL THEN '' ELSE 'users' END, about_user::text, object_name,
        '',
        CASE WHEN workspace IS NOT NULL THEN ARRAY[workspace] ELSE ARRAY(
            SELECT workspace_id FROM public.memberships WHERE user_id = about_user) END,
        NULL, context, '{}', details);
END $$;

REVOKE ALL ON FUNCTION
    audit_add(text, text, text, text, text, bigint[], bigint, jsonb, jsonb, jsonb),
    audit_record_change(),
    audit_record_event(text, bigint, text, bigint, jsonb, jsonb)
FROM PUBLIC;
