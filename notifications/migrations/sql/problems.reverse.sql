CREATE OR REPLACE TRIGGER notifies_of_a_problem AFTER UPDATE OF outcome ON operation_runs
FOR EACH ROW
WHEN (OLD.outcome = 'pending' AND NEW.outcome IN ('failed', 'partially_succeeded', 'blocked')
      AND NOT NEW.context ? 'parent_run_id')
EXECUTE FUNCTION notification_events_add('run_failed');

DROP FUNCTION notification_events_add_problem();
