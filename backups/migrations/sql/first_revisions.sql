-- Schedules of an earlier version: every slot before the next one is settled, and their history
-- begins now. The next tick computes their next slots again.

UPDATE backup_schedules SET settled_until = CASE
    WHEN paused_at IS NOT NULL THEN paused_at
    ELSE LEAST(next_run_at - interval '1 minute', now()) END;

INSERT INTO backup_schedule_revisions
    (schedule_id, number, cron, timezone, rules_version, valid_from, reason)
SELECT id, 1, cron, timezone, '', settled_until, 'upgraded'
FROM backup_schedules WHERE paused_at IS NULL;

-- Later statements of this migration alter the tables.
SET CONSTRAINTS ALL IMMEDIATE;
