"""Rows that every list can show, runs of the right type, and a timeline that reads its indexes."""

from datetime import UTC, datetime
from importlib import import_module

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

before = import_module("legacy_runs.migrations.0001_initial")

# Nothing empties these tables, whatever door is open. A run that a row is mapped to does what the
# row's kind did: an older installation numbered its own runs, so the number alone says little.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION legacy_runs_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('runledger.legacy_import', true) = 'on'
       OR TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is history', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE FUNCTION legacy_runs_are_mapped_at_home() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text[] := CASE TG_TABLE_NAME
        WHEN 'inventory_sync_runs' THEN ARRAY['inventory.sync']
        WHEN 'entra_group_sync_runs' THEN ARRAY['directory_groups.sync']
        WHEN 'backup_schedule_runs' THEN ARRAY['backup_schedule.scheduled',
            'backup_schedule.run_now', 'backup_schedule.retry'] END;
BEGIN
    IF NEW.operation_run_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM operation_runs run WHERE run.id = NEW.operation_run_id
        AND run.workspace_id = NEW.workspace_id AND run.tenant_id = NEW.tenant_id) THEN
        RAISE EXCEPTION '% %: its run belongs to another tenant', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.operation_run_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM operation_runs run WHERE run.id = NEW.operation_run_id
        AND run.type = ANY (wanted)) THEN
        RAISE EXCEPTION '% %: its run is of another type', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# A condition on `legacy_history` inside the view would keep Postgres from reading the four tables
# by their indexes; who lists the timeline leaves out what is mapped (`without_a_run`).
TIMELINE = """
CREATE OR REPLACE VIEW run_timeline AS
    SELECT id * 4 AS id, 'run'::varchar AS kind, id AS own_id, workspace_id, tenant_id, type, status,
           outcome, NULL::bigint AS operation_run_id, NULL::bigint AS was_operation_run_id,
           created_at, started_at, completed_at AS finished_at,
           user_id, initiator_name, acknowledged_at
    FROM operation_runs
    UNION ALL
    SELECT id, kind, own_id, workspace_id, tenant_id, type, status,
           outcome, operation_run_id, was_operation_run_id,
           created_at, started_at, finished_at,
           NULL::bigint, ''::varchar, NULL::timestamptz
    FROM legacy_history
"""


FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def check(model, name, condition):
    """Rows of before are left as they are; no new one breaks it."""
    return AddConstraintNotValid(model, models.CheckConstraint(condition=condition, name=name))


def checks(model):
    return (
        check(model, f"{model}_id_fits_the_lists", models.Q(id__gte=0, id__lte=2**61 - 1)),
        check(
            model,
            f"{model}_created_within_reason",
            models.Q(created_at__gte=FIRST, created_at__lt=LAST),
        ),
    )


MODELS = ("backupschedulerun", "entragroupsyncrun", "inventorysyncrun")


class Migration(migrations.Migration):

    dependencies = [
        ('legacy_runs', '0001_initial'),
        ('operations', '0005_retention'),
        ('tenancy', '0003_tenant_is_fixed'),
    ]

    operations = [
        *(
            migrations.AddField(
                model, 'updated_at', models.DateTimeField(blank=True, null=True)
            )
            for model in MODELS
        ),
        *(operation for model in MODELS for operation in checks(model)),
        migrations.RunSQL(
            FUNCTIONS,
            before.FUNCTIONS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"),
        ),
        migrations.RunSQL(TIMELINE, "DROP VIEW run_timeline;" + before.TIMELINE),
    ]
