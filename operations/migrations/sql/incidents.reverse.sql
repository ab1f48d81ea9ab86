DROP FUNCTION operation_incidents_remove(bigint, timestamptz, integer);
DROP FUNCTION operation_incidents_reject CASCADE;
DROP TRIGGER runs_incident_is_final ON operation_runs;
ALTER TABLE operation_runs DROP CONSTRAINT runs_incident_of_cause;
