-- PostgreSQL parses the condition of a trigger again for each statement, here for each end of a run.
-- The function asks what the condition asked (`events.sql`).

CREATE FUNCTION notification_events_add_problem() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.outcome = 'pending' AND NEW.outcome IN ('failed', 'partially_succeeded', 'blocked')
       AND NOT NEW.context ? 'parent_run_id' THEN
        INSERT INTO public.notification_events (workspace_id, tenant_id, kind, subject_id, key)
        SELECT NEW.workspace_id, NEW.tenant_id, 'run_failed', NEW.id, NEW.id::text
        WHERE EXISTS (SELECT FROM public.notification_rules rule
                      WHERE rule.workspace_id = NEW.workspace_id AND 'run_failed' = ANY (rule.events))
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER notifies_of_a_problem AFTER UPDATE OF outcome ON operation_runs
FOR EACH ROW WHEN (NEW.outcome <> 'succeeded') EXECUTE FUNCTION notification_events_add_problem();
