-- Attempts and ends of deliveries are counted in the transaction in which they are recorded.

CREATE TRIGGER counted_attempt AFTER UPDATE OF attempts ON notification_deliveries FOR EACH ROW
    WHEN (NEW.attempts > OLD.attempts) EXECUTE FUNCTION operation_metrics_add('delivery_attempts');
CREATE TRIGGER counted_delivery AFTER UPDATE OF delivered_at ON notification_deliveries FOR EACH ROW
    WHEN (OLD.delivered_at IS NULL AND NEW.delivered_at IS NOT NULL)
    EXECUTE FUNCTION operation_metrics_add('deliveries_made');
CREATE TRIGGER counted_failure AFTER UPDATE OF failed_at ON notification_deliveries FOR EACH ROW
    WHEN (OLD.failed_at IS NULL AND NEW.failed_at IS NOT NULL)
    EXECUTE FUNCTION operation_metrics_add('deliveries_failed');
