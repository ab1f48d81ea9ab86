"""Retention: when a run's details went, and what is left of a run that went."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from tenancy.db import composite_tenant_fk

GUARDS = """
CREATE TRIGGER runs_details_go_once BEFORE UPDATE OF details_removed_at ON operation_runs
    FOR EACH ROW
    WHEN (OLD.details_removed_at IS DISTINCT FROM NEW.details_removed_at
          AND (OLD.details_removed_at IS NOT NULL OR OLD.status <> 'completed'
               OR current_setting('runledger.pruning', true) IS DISTINCT FROM 'on'))
    EXECUTE FUNCTION operation_runs_refuse('only retention removes details, once, of ended runs');

-- The open door of retention does not lead to the details of a run that is still active.
CREATE FUNCTION operation_details_of_active_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone JOIN operation_runs run ON run.id = gone.run_id
               WHERE run.status <> 'completed') THEN
        RAISE EXCEPTION 'DELETE on % is refused: the run is active', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER run_events_of_active_are_kept AFTER DELETE ON operation_run_events
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION operation_details_of_active_refuse();
CREATE TRIGGER run_items_of_active_are_kept AFTER DELETE ON operation_run_items
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION operation_details_of_active_refuse();

CREATE TRIGGER tombstones_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_run_tombstones
    EXECUTE FUNCTION operation_history_refuse();
"""

DROP_GUARDS = """
DROP TRIGGER tombstones_append_only ON operation_run_tombstones;
DROP FUNCTION operation_details_of_active_refuse CASCADE;
DROP TRIGGER runs_details_go_once ON operation_runs;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0004_parts'),
        ('tenancy', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OperationRunTombstone',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('type', models.CharField(max_length=64)),
                ('outcome', models.CharField(choices=[('pending', 'Pending'), ('succeeded', 'Succeeded'), ('partially_succeeded', 'Partially succeeded'), ('failed', 'Failed'), ('blocked', 'Blocked'), ('cancelled', 'Cancelled')], max_length=24)),
                ('counts', models.JSONField(db_default={}, default=dict)),
                ('created_at', models.DateTimeField()),
                ('completed_at', models.DateTimeField()),
                ('pruned_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'run tombstone',
                'db_table': 'operation_run_tombstones',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='operationrun',
            name='details_removed_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('details_removed_at__isnull', True), ('status', 'completed')), fields=['workspace', 'created_at', 'id'], name='runs_ws_details'),
        ),
        migrations.AddField(
            model_name='operationruntombstone',
            name='tenant',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.tenant'),
        ),
        migrations.AddField(
            model_name='operationruntombstone',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace'),
        ),
        migrations.AddIndex(
            model_name='operationruntombstone',
            index=models.Index(fields=['workspace', 'pruned_at'], name='tombstones_ws'),
        ),
        composite_tenant_fk("operation_run_tombstones"),
        migrations.RunSQL(GUARDS, DROP_GUARDS),
    ]
