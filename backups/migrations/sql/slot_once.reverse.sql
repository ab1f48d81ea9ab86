DROP INDEX runs_slot_once;
ALTER TABLE operation_runs DROP CONSTRAINT runs_scheduled_has_slot;
