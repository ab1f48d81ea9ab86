-- One trigger counts all kinds of events, and a claim asks no trigger whether the run has ended: a
-- statement that ends a run sets `completed_at`. What is counted stays the same (`metrics.sql`).

DROP TRIGGER counted_event ON operation_run_events;
DROP TRIGGER counted_redelivery ON operation_run_events;
DROP TRIGGER counted_refusal ON operation_run_events;

CREATE FUNCTION operation_metrics_add_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.operation_metric_increments (kind) VALUES (
        CASE NEW.kind
            WHEN 'late_write_refused' THEN 'late_writes_refused'
            WHEN 'published_again' THEN 'messages_republished'
            WHEN 'publish_refused' THEN 'messages_refused'
        END);
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION operation_metrics_add_event() FROM PUBLIC;

CREATE TRIGGER counted_event AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = ANY ('{late_write_refused,published_again,publish_refused}'))
    EXECUTE FUNCTION operation_metrics_add_event();

CREATE OR REPLACE TRIGGER counted_at_its_end AFTER UPDATE OF completed_at ON operation_runs
    FOR EACH ROW WHEN (OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL)
    EXECUTE FUNCTION operation_metrics_add_run('run_ended');
