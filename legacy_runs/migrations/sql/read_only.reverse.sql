DROP FUNCTION legacy_runs_lose_their_run CASCADE;
DROP FUNCTION legacy_runs_refuse CASCADE;
