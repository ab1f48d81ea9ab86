"""History of an older installation, and what keeps it so."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import composite_tenant_fk

TABLES = ("inventory_sync_runs", "entra_group_sync_runs", "backup_schedule_runs")

# A statement that touches no row is refused too. Two things may pass: rows coming in through the
# importer's door, and the referential action below, which the row trigger holds to its one change.
# TRUNCATE passes where retention's door is open, as for every table with guards.
FUNCTIONS = """
CREATE FUNCTION legacy_runs_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('runledger.legacy_import', true) = 'on'
       OR TG_OP = 'UPDATE' AND pg_trigger_depth() > 1
       OR TG_OP = 'TRUNCATE' AND current_setting('runledger.pruning', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on % is refused: it is history', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION legacy_runs_lose_their_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.operation_run_id IS NULL OR NEW.operation_run_id IS NOT NULL
       OR to_jsonb(OLD) - 'operation_run_id' <> to_jsonb(NEW) - 'operation_run_id'
       OR EXISTS (SELECT FROM operation_runs WHERE id = OLD.operation_run_id) THEN
        RAISE EXCEPTION '% %: it is history', TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION legacy_runs_are_mapped_at_home() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.operation_run_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM operation_runs run WHERE run.id = NEW.operation_run_id
        AND run.workspace_id = NEW.workspace_id AND run.tenant_id = NEW.tenant_id) THEN
        RAISE EXCEPTION '% %: its run belongs to another tenant', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

DROP_FUNCTIONS = """
DROP FUNCTION legacy_runs_refuse CASCADE;
DROP FUNCTION legacy_runs_lose_their_run CASCADE;
DROP FUNCTION legacy_runs_are_mapped_at_home CASCADE;
"""


def guards(table):
    return f"""
    ALTER TABLE {table} ADD CONSTRAINT {table}_run FOREIGN KEY (operation_run_id)
        REFERENCES operation_runs (id) ON DELETE SET NULL;
    CREATE TRIGGER {table}_are_history
        BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
        EXECUTE FUNCTION legacy_runs_refuse();
    CREATE TRIGGER {table}_lose_their_run BEFORE UPDATE ON {table} FOR EACH ROW
        EXECUTE FUNCTION legacy_runs_lose_their_run();
    CREATE TRIGGER {table}_are_mapped_at_home BEFORE INSERT ON {table} FOR EACH ROW
        EXECUTE FUNCTION legacy_runs_are_mapped_at_home();
    """


def branch(table, kind, digit):
    return f"""
    SELECT id * 4 + {digit} AS id, '{kind}'::varchar AS kind, id AS own_id, workspace_id, tenant_id,
           ''::varchar AS type, status, ''::varchar AS outcome, operation_run_id,
           was_operation_run_id, created_at, started_at, finished_at
    FROM {table}
    """


HISTORY = "CREATE VIEW legacy_history AS" + "UNION ALL".join(
    branch(table, kind, digit)
    for digit, (table, kind) in enumerate(
        zip(TABLES, ("inventory_sync_run", "entra_group_sync_run", "backup_schedule_run")), start=1
    )
)

# What has its canonical run here is told by that run alone.
TIMELINE = """
CREATE VIEW run_timeline AS
    SELECT id * 4 AS id, 'run'::varchar AS kind, id AS own_id, workspace_id, tenant_id, type, status,
           outcome, NULL::bigint AS operation_run_id, NULL::bigint AS was_operation_run_id,
           created_at, started_at, completed_at AS finished_at
    FROM operation_runs
    UNION ALL SELECT * FROM legacy_history WHERE operation_run_id IS NULL
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('operations', '0005_retention'),
        ('tenancy', '0003_tenant_is_fixed'),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoryEntry',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=32)),
                ('own_id', models.BigIntegerField()),
                ('type', models.CharField(max_length=64)),
                ('status', models.CharField(max_length=64)),
                ('outcome', models.CharField(max_length=24)),
                ('operation_run_id', models.BigIntegerField(null=True)),
                ('was_operation_run_id', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'legacy_history',
                'abstract': False,
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='TimelineEntry',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=32)),
                ('own_id', models.BigIntegerField()),
                ('type', models.CharField(max_length=64)),
                ('status', models.CharField(max_length=64)),
                ('outcome', models.CharField(max_length=24)),
                ('operation_run_id', models.BigIntegerField(null=True)),
                ('was_operation_run_id', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'run_timeline',
                'abstract': False,
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='BackupScheduleRun',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('was_operation_run_id', models.BigIntegerField(blank=True, null=True)),
                ('status', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('backup_schedule_id', models.BigIntegerField()),
                ('scheduled_for', models.DateTimeField()),
                ('summary', models.JSONField(blank=True, null=True)),
                ('error_code', models.CharField(blank=True, default='', max_length=200)),
                ('error_message', models.CharField(blank=True, default='', max_length=2000)),
                ('backup_set_id', models.BigIntegerField(blank=True, null=True)),
                ('operation_run', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='operations.operationrun')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.tenant')),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'db_table': 'backup_schedule_runs',
                'ordering': ('-created_at', '-id'),
                'abstract': False,
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['workspace', 'created_at', 'id'], name='legacy_bsr_ws'), models.Index(fields=['tenant', 'created_at', 'id'], name='legacy_bsr_tenant')],
            },
        ),
        migrations.CreateModel(
            name='EntraGroupSyncRun',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('was_operation_run_id', models.BigIntegerField(blank=True, null=True)),
                ('status', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('selection_key', models.CharField(max_length=200)),
                ('slot_key', models.CharField(blank=True, default='', max_length=200)),
                ('error_code', models.CharField(blank=True, default='', max_length=200)),
                ('error_category', models.CharField(blank=True, default='', max_length=200)),
                ('error_summary', models.CharField(blank=True, default='', max_length=2000)),
                ('pages_fetched', models.PositiveBigIntegerField(default=0)),
                ('items_observed_count', models.PositiveBigIntegerField(default=0)),
                ('items_upserted_count', models.PositiveBigIntegerField(default=0)),
                ('error_count', models.PositiveBigIntegerField(default=0)),
                ('operation_run', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='operations.operationrun')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.tenant')),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'db_table': 'entra_group_sync_runs',
                'ordering': ('-created_at', '-id'),
                'abstract': False,
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['workspace', 'created_at', 'id'], name='legacy_grp_ws'), models.Index(fields=['tenant', 'created_at', 'id'], name='legacy_grp_tenant')],
            },
        ),
        migrations.CreateModel(
            name='InventorySyncRun',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('was_operation_run_id', models.BigIntegerField(blank=True, null=True)),
                ('status', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('selection_hash', models.CharField(max_length=64)),
                ('selection_payload', models.JSONField(blank=True, null=True)),
                ('items_observed_count', models.PositiveBigIntegerField(default=0)),
                ('items_upserted_count', models.PositiveBigIntegerField(default=0)),
                ('errors_count', models.PositiveBigIntegerField(default=0)),
                ('operation_run', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='operations.operationrun')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.tenant')),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'db_table': 'inventory_sync_runs',
                'ordering': ('-created_at', '-id'),
                'abstract': False,
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['workspace', 'created_at', 'id'], name='legacy_inv_ws'), models.Index(fields=['tenant', 'created_at', 'id'], name='legacy_inv_tenant')],
            },
        ),
        *(composite_tenant_fk(table) for table in TABLES),
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        *(
            migrations.RunSQL(
                guards(table), f"ALTER TABLE {table} DROP CONSTRAINT {table}_run"
            )
            for table in TABLES
        ),
        migrations.RunSQL(HISTORY, "DROP VIEW legacy_history"),
        migrations.RunSQL(TIMELINE, "DROP VIEW run_timeline"),
    ]
