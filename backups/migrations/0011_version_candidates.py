"""Contents that no set refers to are found among new ones and those that lost a reference."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0010_deleted_schedules'),
        ('tenancy', '0013_user_keyboard_shortcuts'),
    ]

    operations = [
        migrations.CreateModel(
            name='VersionCandidate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version_id', models.BigIntegerField()),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'db_table': 'policy_version_candidates',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['workspace', 'id'], name='version_candidates_ws')],
            },
        ),
        run_sql_file(__file__, 'version_candidates'),
    ]
