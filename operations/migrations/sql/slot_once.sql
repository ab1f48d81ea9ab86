-- A slot of a backup schedule starts at most one run.

CREATE UNIQUE INDEX runs_slot_once ON operation_runs
    ((context->>'backup_schedule_id'), (context->>'scheduled_for'))
    WHERE type = 'backup_schedule.scheduled';
