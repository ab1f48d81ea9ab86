-- An endpoint belongs to a workspace. A delivery goes to a member or to an endpoint of its workspace,
-- and a rule that sends webhooks is one of the workspace.

ALTER TABLE webhook_endpoints ADD CONSTRAINT webhook_endpoints_name_is_visible
    CHECK (is_visible_name(name));

ALTER TABLE notification_rules ADD CONSTRAINT notification_rules_endpoint_of_workspace
    FOREIGN KEY (endpoint_id, workspace_id) REFERENCES webhook_endpoints (id, workspace_id);

ALTER TABLE notification_deliveries ADD CONSTRAINT notification_deliveries_endpoint_of_workspace
    FOREIGN KEY (endpoint_id, workspace_id) REFERENCES webhook_endpoints (id, workspace_id)
    ON DELETE CASCADE;

-- What an endpoint receives does not change without its receiver, and its secrets belong to it.
CREATE FUNCTION webhook_endpoints_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.workspace_id, NEW.format) IS DISTINCT FROM
       (OLD.id, OLD.workspace_id, OLD.format) THEN
        RAISE EXCEPTION 'endpoint %: its workspace and format cannot be changed', OLD.id;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER endpoints_keep_their_format BEFORE UPDATE ON webhook_endpoints FOR EACH ROW
EXECUTE FUNCTION webhook_endpoints_guard();

-- As in `events.sql`, and for endpoints. A receiver knows a message by its id.
CREATE OR REPLACE FUNCTION notification_deliveries_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.delivered_at IS NOT NULL THEN
        RAISE EXCEPTION 'delivery % has been delivered: it cannot be changed', OLD.id;
    ELSIF (NEW.id, NEW.workspace_id, NEW.event_id, NEW.created_at, NEW.repetition)
          IS DISTINCT FROM (OLD.id, OLD.workspace_id, OLD.event_id, OLD.created_at, OLD.repetition)
          OR NEW.user_id IS DISTINCT FROM OLD.user_id
          OR NEW.endpoint_id IS DISTINCT FROM OLD.endpoint_id THEN
        RAISE EXCEPTION 'delivery %: its event and receiver cannot be changed', OLD.id;
    ELSIF OLD.message_id IS NOT NULL AND NEW.message_id IS DISTINCT FROM OLD.message_id THEN
        RAISE EXCEPTION 'delivery %: its message cannot be another one', OLD.id;
    ELSIF NEW.attempts < OLD.attempts THEN
        RAISE EXCEPTION 'delivery %: its attempts cannot be fewer', OLD.id;
    END IF;
    RETURN NEW;
END $$;
