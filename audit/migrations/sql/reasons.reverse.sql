CREATE OR REPLACE FUNCTION audit_record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
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
