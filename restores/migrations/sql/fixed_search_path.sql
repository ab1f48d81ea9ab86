-- The guards look up their tables in fixed schemas. Otherwise a temporary table of the same name,
-- which any session can create, would be read in place of the real one.

ALTER FUNCTION restores_reject() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION restore_items_guard() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION restore_items_decision_guard() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION restore_items_added_in_preview() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION restore_items_executed_not_deleted() SET search_path = pg_catalog, public, pg_temp;
