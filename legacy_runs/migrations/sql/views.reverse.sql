DROP VIEW run_timeline;
DROP VIEW legacy_history;
