"""Objectives of tenants, schedules and workspaces, and the counted days of the trend."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from audit.db import audit_trigger
from tenancy.db import composite_tenant_fk, run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0007_visible_names'),
        ('audit', '0002_guards'),
        ('tenancy', '0003_fixed_search_path'),
    ]

    operations = [
        migrations.CreateModel(
            name='BackupDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('counts', models.JSONField(default=dict)),
            ],
            options={
                'db_table': 'backup_days',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='BackupObjective',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hours', models.PositiveIntegerField()),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'backup_objectives',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='backupschedule',
            name='objective_hours',
            field=models.PositiveIntegerField(blank=True, help_text='How old the last complete backup may be; empty: the objective of the workspace.', null=True, verbose_name='objective in hours'),
        ),
        migrations.AddConstraint(
            model_name='backupschedule',
            constraint=models.CheckConstraint(condition=models.Q(('objective_hours', None), models.Q(('objective_hours__gte', 1), ('objective_hours__lte', 8784)), _connector='OR'), name='schedules_objective_possible'),
        ),
        migrations.AddField(
            model_name='backupday',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='backup_days', to='tenancy.workspace'),
        ),
        migrations.AddField(
            model_name='backupobjective',
            name='tenant',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='backup_objectives', to='tenancy.tenant'),
        ),
        migrations.AddField(
            model_name='backupobjective',
            name='workspace',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='backup_objectives', to='tenancy.workspace'),
        ),
        migrations.AddConstraint(
            model_name='backupday',
            constraint=models.UniqueConstraint(fields=('workspace', 'day'), name='backup_days_once'),
        ),
        migrations.AddConstraint(
            model_name='backupobjective',
            constraint=models.UniqueConstraint(condition=models.Q(('tenant', None)), fields=('workspace',), name='objectives_one_per_workspace'),
        ),
        migrations.AddConstraint(
            model_name='backupobjective',
            constraint=models.UniqueConstraint(fields=('tenant',), name='objectives_one_per_tenant'),
        ),
        migrations.AddConstraint(
            model_name='backupobjective',
            constraint=models.CheckConstraint(condition=models.Q(('hours__gte', 1), ('hours__lte', 8784)), name='objectives_possible'),
        ),
        composite_tenant_fk("backup_objectives"),
        audit_trigger(
            "backup_objectives",
            name="hours",
            workspace="workspace_id",
            tenant="tenant_id",
            ignored=["updated_at"],
        ),
        run_sql_file(__file__, "days"),
    ]
