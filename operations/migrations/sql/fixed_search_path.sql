-- The guards look up their tables in fixed schemas. Otherwise a temporary table of the same name,
-- which any session can create, would be read in place of the real one.

ALTER FUNCTION operation_runs_reject() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION operation_history_reject() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION operation_active_details_reject() SET search_path = pg_catalog, public, pg_temp;
