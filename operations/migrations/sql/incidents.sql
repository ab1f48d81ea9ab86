-- A run joins an incident of its workspace and cause, once. What an incident is about never changes,
-- and a closed incident is final. Only retention removes incidents, long after their runs.

ALTER TABLE operation_runs ADD CONSTRAINT runs_incident_of_cause
    FOREIGN KEY (incident_id, workspace_id, cause)
    REFERENCES operation_incidents (id, workspace_id, cause) DEFERRABLE INITIALLY IMMEDIATE;

CREATE TRIGGER runs_incident_is_final BEFORE UPDATE OF incident_id ON operation_runs FOR EACH ROW
    WHEN (OLD.incident_id IS NOT NULL AND OLD.incident_id IS DISTINCT FROM NEW.incident_id)
    EXECUTE FUNCTION operation_runs_reject('its incident cannot be changed');

CREATE FUNCTION operation_incidents_reject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'incident %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER incidents_cause_is_fixed
    BEFORE UPDATE OF id, workspace_id, cause, number, since, created_at ON operation_incidents
    FOR EACH ROW
    WHEN ((OLD.id, OLD.workspace_id, OLD.cause, OLD.number, OLD.since, OLD.created_at)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.cause, NEW.number, NEW.since, NEW.created_at))
    EXECUTE FUNCTION operation_incidents_reject('its workspace, cause and number cannot be changed');

CREATE TRIGGER incidents_closed_is_final BEFORE UPDATE ON operation_incidents FOR EACH ROW
    WHEN (OLD.closed_at IS NOT NULL AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION operation_incidents_reject('it is closed');

CREATE TRIGGER incidents_delete_by_retention BEFORE DELETE ON operation_incidents FOR EACH ROW
    WHEN (OLD.closed_at IS NULL OR NOT operation_runs_are_pruned())
    EXECUTE FUNCTION operation_incidents_reject('only retention can delete incidents');

-- Delete up to `max_rows` incidents without runs that were closed before a time, at least a day ago.
CREATE FUNCTION operation_incidents_remove(
    workspace bigint, before timestamptz, max_rows integer
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET runledger.pruning = 'on' AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.operation_incidents WHERE id = ANY (ARRAY(
        SELECT incident.id FROM public.operation_incidents incident
        WHERE incident.workspace_id = workspace
          AND incident.closed_at < least(before, clock_timestamp() - interval '1 day')
          AND NOT EXISTS (SELECT FROM public.operation_runs run WHERE run.incident_id = incident.id)
        LIMIT max_rows));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION operation_incidents_remove(bigint, timestamptz, integer) FROM PUBLIC;
