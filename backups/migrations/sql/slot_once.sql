-- A scheduled backup names its slot, and a slot of a backup schedule starts at most one run.

ALTER TABLE operation_runs
    ADD CONSTRAINT runs_scheduled_has_slot CHECK (
        type <> 'backup_schedule.scheduled'
        OR (context->>'backup_schedule_id') IS NOT NULL
           AND COALESCE(context->>'scheduled_for', '') ~ '^\d{4}-\d\d-\d\dT\d\d:\d\dZ$');

CREATE UNIQUE INDEX runs_slot_once ON operation_runs
    ((context->>'backup_schedule_id'), (context->>'scheduled_for'))
    WHERE type = 'backup_schedule.scheduled';
