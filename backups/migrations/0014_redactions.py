"""The redacted form of each policy version is stored with the version of the rules."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0013_listed_hashes'),
    ]

    operations = [
        migrations.CreateModel(
            name='VersionRedaction',
            fields=[
                ('version', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='redaction', serialize=False, to='backups.policyversion')),
                ('rules_version', models.PositiveIntegerField()),
                ('patch', models.JSONField()),
                ('guessed', models.PositiveIntegerField()),
            ],
            options={
                'db_table': 'policy_version_redactions',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['rules_version'], name='redactions_rules')],
            },
        ),
        run_sql_file(__file__, 'redactions'),
    ]
