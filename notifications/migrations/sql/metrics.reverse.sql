DROP TRIGGER counted_attempt ON notification_deliveries;
DROP TRIGGER counted_delivery ON notification_deliveries;
DROP TRIGGER counted_failure ON notification_deliveries;
