"""Sets share the items of objects that have not changed, instead of containing a copy of each.

Existing rows stay as they are. No table is read: only `backup_items.set_id` becomes nullable. The
reverse migration copies the shared items into each set. A change that was recorded in the meantime
then refers to the item in the set that it was read for.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0022_sets_of_schedule'),
        ('tenancy', '0015_service_account_guards'),
    ]

    operations = [
        migrations.AlterField(
            model_name='backupitem',
            name='backup_set',
            field=models.ForeignKey(db_column='set_id', db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='own_items', to='backups.backupset'),
        ),
        migrations.CreateModel(
            name='SharedItems',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=64)),
                ('is_read', models.BooleanField()),
                ('item_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('backup_set', models.ForeignKey(db_column='set_id', db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='shared_items', to='backups.backupset')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.tenant')),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'verbose_name_plural': 'shared items',
                'db_table': 'backup_shared_items',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['backup_set', 'kind'], name='shared_items_of_set'), models.Index(fields=['tenant', 'kind'], name='shared_items_of_tenant')],
            },
        ),
        migrations.CreateModel(
            name='SetItem',
            fields=[
                ('pk', models.CompositePrimaryKey('backup_set_id', 'item_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('backup_set', models.ForeignKey(db_column='set_id', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='backups.backupset')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.DO_NOTHING, related_name='memberships', to='backups.backupitem')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenancy.tenant')),
                ('kind', models.CharField(max_length=64)),
                ('is_read', models.BooleanField(null=True)),
            ],
            options={
                'db_table': 'backup_set_items',
                'managed': False,
                'default_permissions': (),
                'get_latest_by': 'backup_set_id',
            },
        ),
        migrations.AddField(
            model_name='backupset',
            name='items',
            field=models.ManyToManyField(related_name='+', through='backups.SetItem', to='backups.backupitem'),
        ),
        run_sql_file(__file__, 'shared_items'),
    ]
