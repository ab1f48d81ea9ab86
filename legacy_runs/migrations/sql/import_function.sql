-- Only this function adds legacy runs. It runs as the owner of the tables; other roles need the right
-- to call it (`manage.py grant_import_role`). Rows whose id is in use are skipped, never changed.

-- Whether the function is adding rows. The setting alone allows nothing: the current user must be the
-- owner of the tables, as it is inside the function.
CREATE FUNCTION legacy_runs_are_imported() RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(current_setting('runledger.legacy_import', true) = 'on', false)
       AND pg_has_role(current_user, relowner, 'MEMBER')
    FROM pg_class WHERE oid = 'public.inventory_sync_runs'::regclass
$$;

CREATE OR REPLACE FUNCTION legacy_runs_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND public.legacy_runs_are_imported()
       OR TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is not allowed: legacy runs are read-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION legacy_runs_import(table_name text, imported jsonb)
RETURNS TABLE (id bigint, operation_run_id bigint) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.legacy_import = 'on' AS $$
#variable_conflict use_column
BEGIN
    CASE table_name
    WHEN 'inventory_sync_runs' THEN RETURN QUERY
        INSERT INTO public.inventory_sync_runs AS added
        SELECT source.* FROM jsonb_populate_recordset(NULL::public.inventory_sync_runs, imported) source
        ORDER BY source.id ON CONFLICT (id) DO NOTHING RETURNING added.id, added.operation_run_id;
    WHEN 'entra_group_sync_runs' THEN RETURN QUERY
        INSERT INTO public.entra_group_sync_runs AS added
        SELECT source.* FROM jsonb_populate_recordset(NULL::public.entra_group_sync_runs, imported) source
        ORDER BY source.id ON CONFLICT (id) DO NOTHING RETURNING added.id, added.operation_run_id;
    WHEN 'backup_schedule_runs' THEN RETURN QUERY
        INSERT INTO public.backup_schedule_runs AS added
        SELECT source.* FROM jsonb_populate_recordset(NULL::public.backup_schedule_runs, imported) source
        ORDER BY source.id ON CONFLICT (id) DO NOTHING RETURNING added.id, added.operation_run_id;
    END CASE;
END $$;

REVOKE ALL ON FUNCTION legacy_runs_import(text, jsonb) FROM PUBLIC;
