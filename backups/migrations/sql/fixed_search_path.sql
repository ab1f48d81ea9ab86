-- The guards look up their tables in fixed schemas. Otherwise a temporary table of the same name,
-- which any session can create, would be read in place of the real one.

ALTER FUNCTION backups_reject() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION backup_sets_check_complete() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION backup_items_require_building() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION backup_revisions_reject() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION backup_revisions_require_schedule_gone() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION backup_revisions_follow() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION backup_schedules_check_revision() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION operation_runs_check_repeated() SET search_path = pg_catalog, public, pg_temp;
