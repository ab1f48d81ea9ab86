-- The guards look up their tables in fixed schemas. Otherwise a temporary table of the same name,
-- which any session can create, would be read in place of the real one.

ALTER FUNCTION legacy_runs_reject() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION legacy_runs_unlink_only() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION legacy_runs_check_linked_run() SET search_path = pg_catalog, public, pg_temp;
