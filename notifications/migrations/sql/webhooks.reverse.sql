CREATE OR REPLACE FUNCTION notification_deliveries_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.delivered_at IS NOT NULL THEN
        RAISE EXCEPTION 'delivery % has been delivered: it cannot be changed', OLD.id;
    ELSIF (NEW.id, NEW.workspace_id, NEW.event_id, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.workspace_id, OLD.event_id, OLD.created_at)
          OR NEW.user_id IS DISTINCT FROM OLD.user_id THEN
        RAISE EXCEPTION 'delivery %: its event and receiver cannot be changed', OLD.id;
    ELSIF NEW.attempts < OLD.attempts THEN
        RAISE EXCEPTION 'delivery %: its attempts cannot be fewer', OLD.id;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER endpoints_keep_their_format ON webhook_endpoints;
DROP FUNCTION webhook_endpoints_guard();
ALTER TABLE notification_deliveries DROP CONSTRAINT notification_deliveries_endpoint_of_workspace;
ALTER TABLE notification_rules DROP CONSTRAINT notification_rules_endpoint_of_workspace;
ALTER TABLE webhook_endpoints DROP CONSTRAINT webhook_endpoints_name_is_visible;
