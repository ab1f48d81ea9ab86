-- The outbox: an event that a rule of its workspace selects is written in the transaction that makes
-- it true, once. Conditions of the triggers leave out every other change, so that a run that succeeds
-- costs nothing, and a run that fails one lookup.

CREATE FUNCTION notification_events_add() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- An incident has no tenant.
    INSERT INTO public.notification_events (workspace_id, tenant_id, kind, subject_id, key)
    SELECT NEW.workspace_id, (to_jsonb(NEW) ->> 'tenant_id')::bigint, TG_ARGV[0], NEW.id,
           NEW.id::text
    WHERE EXISTS (SELECT FROM public.notification_rules rule
                  WHERE rule.workspace_id = NEW.workspace_id AND TG_ARGV[0] = ANY (rule.events))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- A parent run stands for its child runs.
CREATE TRIGGER notifies_of_a_problem AFTER UPDATE OF outcome ON operation_runs FOR EACH ROW
WHEN (OLD.outcome = 'pending' AND NEW.outcome IN ('failed', 'partially_succeeded', 'blocked')
      AND NOT NEW.context ? 'parent_run_id')
EXECUTE FUNCTION notification_events_add('run_failed');

CREATE TRIGGER notifies_of_a_blocked_run AFTER INSERT ON operation_runs FOR EACH ROW
WHEN (NEW.outcome = 'blocked' AND NOT NEW.context ? 'parent_run_id')
EXECUTE FUNCTION notification_events_add('run_failed');

-- Of several problems of an identity, the last one stands for the others.
CREATE TRIGGER notifies_of_a_recovery AFTER UPDATE OF recovered_at ON operation_runs FOR EACH ROW
WHEN (OLD.recovered_at IS NULL AND NEW.recovered_at IS NOT NULL AND NEW.superseded_by_id IS NULL
      AND NOT NEW.context ? 'parent_run_id')
EXECUTE FUNCTION notification_events_add('run_recovered');

CREATE TRIGGER notifies_of_an_incident AFTER INSERT ON operation_incidents FOR EACH ROW
EXECUTE FUNCTION notification_events_add('incident_opened');

CREATE TRIGGER notifies_of_the_end_of_an_incident
AFTER UPDATE OF closed_at ON operation_incidents FOR EACH ROW
WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL)
EXECUTE FUNCTION notification_events_add('incident_closed');

-- One event for all changes that a backup finds.
CREATE FUNCTION notification_events_add_changes() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.notification_events (workspace_id, tenant_id, kind, subject_id, key)
    SELECT DISTINCT change.workspace_id, change.tenant_id, 'policies_changed', change.backup_set_id,
           change.backup_set_id::text
    FROM changes change
    WHERE change.backup_set_id IS NOT NULL
      AND EXISTS (SELECT FROM public.notification_rules rule
                  WHERE rule.workspace_id = change.workspace_id
                    AND 'policies_changed' = ANY (rule.events))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER notifies_of_changes AFTER INSERT ON policy_changes
REFERENCING NEW TABLE AS changes FOR EACH STATEMENT
EXECUTE FUNCTION notification_events_add_changes();

-- An event changes once, when it is handled, and is not deleted before that.
CREATE FUNCTION notification_events_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.handled_at IS NULL AND TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'event % is not handled: it cannot be deleted', OLD.id;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSIF OLD.handled_at IS NOT NULL THEN
        RAISE EXCEPTION 'event % is handled: it cannot be changed', OLD.id;
    ELSIF (NEW.id, NEW.workspace_id, NEW.kind, NEW.subject_id, NEW.key, NEW.created_at)
          IS DISTINCT FROM
          (OLD.id, OLD.workspace_id, OLD.kind, OLD.subject_id, OLD.key, OLD.created_at)
          OR NEW.tenant_id IS DISTINCT FROM OLD.tenant_id THEN
        RAISE EXCEPTION 'event %: what happened cannot be changed', OLD.id;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER events_change_once BEFORE UPDATE OR DELETE ON notification_events FOR EACH ROW
EXECUTE FUNCTION notification_events_guard();

-- A delivery that has ended is never sent again.
CREATE FUNCTION notification_deliveries_guard() RETURNS trigger LANGUAGE plpgsql
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

CREATE TRIGGER deliveries_end_once BEFORE UPDATE ON notification_deliveries FOR EACH ROW
EXECUTE FUNCTION notification_deliveries_guard();
