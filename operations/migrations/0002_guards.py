"""What must never happen to a run, refused by the database whoever asks."""

from django.db import migrations

from tenancy.db import composite_tenant_fk

CHECKS = """
ALTER TABLE operation_runs
    ADD CONSTRAINT runs_identity_is_sha256 CHECK (run_identity_hash ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT runs_counts_are_counts CHECK (
        jsonb_typeof(summary_counts) = 'object'
        AND NOT jsonb_path_exists(
            summary_counts,
            '$.keyvalue() ? (@.key != "meta" && (@.value.type() != "number" || @.value < 0
                             || @.value.floor() != @.value))',
            '{}', true)
        AND jsonb_typeof(COALESCE(summary_counts->'meta', '{}')) = 'object'),
    ADD CONSTRAINT runs_failures_are_grouped CHECK (
        jsonb_typeof(failure_summary) = 'array' AND jsonb_array_length(failure_summary) <= 20),
    ADD CONSTRAINT runs_context_is_object CHECK (jsonb_typeof(context) = 'object'),
    ADD CONSTRAINT runs_scheduled_has_slot CHECK (
        type <> 'backup_schedule.scheduled'
        OR (context->>'backup_schedule_id') IS NOT NULL
           AND COALESCE(context->>'scheduled_for', '') ~ '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\dZ$'),
    ADD CONSTRAINT runs_retry_is_another CHECK (retry_of_id <> id);

-- A slot fires once, for ever.
CREATE UNIQUE INDEX runs_slot_fires_once ON operation_runs
    ((context->>'backup_schedule_id'), (context->>'scheduled_for'))
    WHERE type = 'backup_schedule.scheduled';
"""

DROP_CHECKS = """
DROP INDEX runs_slot_fires_once;
ALTER TABLE operation_runs
    DROP CONSTRAINT runs_identity_is_sha256,
    DROP CONSTRAINT runs_counts_are_counts,
    DROP CONSTRAINT runs_failures_are_grouped,
    DROP CONSTRAINT runs_context_is_object,
    DROP CONSTRAINT runs_scheduled_has_slot,
    DROP CONSTRAINT runs_retry_is_another;
"""

# UPDATE OF … and WHEN keep heartbeats and counters free of all this.
RUN_TRIGGERS = """
CREATE FUNCTION operation_runs_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation run %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER runs_move_forward BEFORE UPDATE OF status ON operation_runs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
        OLD.status = 'queued' AND NEW.status IN ('running', 'completed')
        OR OLD.status = 'running' AND NEW.status = 'completed'))
    EXECUTE FUNCTION operation_runs_refuse('a status that was left is never entered again');

CREATE TRIGGER runs_identity_is_fixed
    BEFORE UPDATE OF id, workspace_id, tenant_id, type, run_identity_hash, context, created_at,
                     initiator_name
    ON operation_runs FOR EACH ROW
    WHEN ((OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.type, OLD.run_identity_hash, OLD.context,
           OLD.created_at, OLD.initiator_name)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.type, NEW.run_identity_hash, NEW.context,
           NEW.created_at, NEW.initiator_name))
    EXECUTE FUNCTION operation_runs_refuse('type, scope, identity and context are written once');

CREATE TRIGGER runs_ended_is_history
    BEFORE UPDATE OF outcome, summary_counts, failure_summary, started_at, completed_at,
                     heartbeat_at, worker
    ON operation_runs FOR EACH ROW
    WHEN (OLD.status = 'completed' AND
          (OLD.outcome, OLD.summary_counts, OLD.failure_summary, OLD.started_at, OLD.completed_at,
           OLD.heartbeat_at, OLD.worker)
          IS DISTINCT FROM
          (NEW.outcome, NEW.summary_counts, NEW.failure_summary, NEW.started_at, NEW.completed_at,
           NEW.heartbeat_at, NEW.worker))
    EXECUTE FUNCTION operation_runs_refuse('it has ended; what happened is history');

CREATE TRIGGER runs_retry_is_fixed BEFORE UPDATE OF retry_of_id ON operation_runs FOR EACH ROW
    WHEN (NEW.retry_of_id IS NOT NULL AND OLD.retry_of_id IS DISTINCT FROM NEW.retry_of_id)
    EXECUTE FUNCTION operation_runs_refuse('what it repeats is written once');

CREATE TRIGGER runs_people_are_fixed
    BEFORE UPDATE OF user_id, cancel_requested_at, cancel_requested_by_id, acknowledged_at,
                     acknowledged_by_id
    ON operation_runs FOR EACH ROW
    WHEN (NEW.user_id IS NOT NULL AND OLD.user_id IS DISTINCT FROM NEW.user_id
          OR OLD.cancel_requested_at IS NOT NULL
             AND (OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at
                  OR NEW.cancel_requested_by_id IS NOT NULL
                     AND OLD.cancel_requested_by_id IS DISTINCT FROM NEW.cancel_requested_by_id)
          OR OLD.acknowledged_at IS NOT NULL
             AND (OLD.acknowledged_at IS DISTINCT FROM NEW.acknowledged_at
                  OR NEW.acknowledged_by_id IS NOT NULL
                     AND OLD.acknowledged_by_id IS DISTINCT FROM NEW.acknowledged_by_id)
          OR OLD.status = 'completed'
             AND OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at)
    EXECUTE FUNCTION operation_runs_refuse('who asked and who acknowledged is written once');

CREATE TRIGGER runs_active_is_kept BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (OLD.status <> 'completed')
    EXECUTE FUNCTION operation_runs_refuse('an active run is never deleted');

CREATE TRIGGER runs_delete_is_pruning BEFORE DELETE ON operation_runs FOR EACH ROW
    WHEN (current_setting('runledger.pruning', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION operation_runs_refuse('only retention deletes runs');
"""

DROP_RUN_TRIGGERS = "DROP FUNCTION operation_runs_refuse CASCADE;"

# Statement triggers, so that even a statement that touches no row is refused.
HISTORY_TRIGGERS = """
CREATE FUNCTION operation_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is refused: it is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER run_events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_run_events
    EXECUTE FUNCTION operation_history_refuse();
CREATE TRIGGER run_items_delete_is_pruning BEFORE DELETE OR TRUNCATE ON operation_run_items
    EXECUTE FUNCTION operation_history_refuse();
CREATE TRIGGER runs_no_truncate BEFORE TRUNCATE ON operation_runs
    EXECUTE FUNCTION operation_history_refuse();
"""

DROP_HISTORY_TRIGGERS = "DROP FUNCTION operation_history_refuse CASCADE;"

# Room on each page for the next version of a row: heartbeats and counts stay HOT updates.
FILLFACTOR = "ALTER TABLE operation_runs SET (fillfactor = 80)"

# When beat, broker and worker last worked together (operations/maintenance/health.py).
TICKS = "CREATE TABLE operation_ticks (name varchar(40) PRIMARY KEY, at timestamptz NOT NULL)"


class Migration(migrations.Migration):
    dependencies = [("operations", "0001_initial")]

    operations = [
        composite_tenant_fk("operation_runs"),
        migrations.RunSQL(CHECKS, DROP_CHECKS),
        migrations.RunSQL(RUN_TRIGGERS, DROP_RUN_TRIGGERS),
        migrations.RunSQL(HISTORY_TRIGGERS, DROP_HISTORY_TRIGGERS),
        migrations.RunSQL(FILLFACTOR, "ALTER TABLE operation_runs RESET (fillfactor)"),
        migrations.RunSQL(TICKS, "DROP TABLE operation_ticks"),
    ]
