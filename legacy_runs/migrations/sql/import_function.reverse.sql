DROP FUNCTION legacy_runs_import(text, jsonb);

CREATE OR REPLACE FUNCTION legacy_runs_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('runledger.legacy_import', true) = 'on'
       OR TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is not allowed: legacy runs are read-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

DROP FUNCTION legacy_runs_are_imported();
