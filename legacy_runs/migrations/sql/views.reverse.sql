DROP VIEW run_entries;
DROP VIEW legacy_run_entries;
