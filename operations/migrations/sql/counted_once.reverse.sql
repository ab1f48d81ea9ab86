DROP TRIGGER counted_event ON operation_run_events;
DROP FUNCTION operation_metrics_add_event();

CREATE TRIGGER counted_event AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = 'late_write_refused') EXECUTE FUNCTION operation_metrics_add('late_writes_refused');
CREATE TRIGGER counted_redelivery AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = 'published_again') EXECUTE FUNCTION operation_metrics_add('messages_republished');
CREATE TRIGGER counted_refusal AFTER INSERT ON operation_run_events FOR EACH ROW
    WHEN (NEW.kind = 'publish_refused') EXECUTE FUNCTION operation_metrics_add('messages_refused');

CREATE OR REPLACE TRIGGER counted_at_its_end AFTER UPDATE OF status ON operation_runs FOR EACH ROW
    WHEN (OLD.status <> 'completed' AND NEW.status = 'completed')
    EXECUTE FUNCTION operation_metrics_add_run('run_ended');
