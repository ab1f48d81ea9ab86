"""Backup sets say how many objects in a list are of types that Runledger does not back up."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0011_version_candidates'),
    ]

    operations = [
        migrations.AddField(
            model_name='backupset',
            name='left_out',
            field=models.JSONField(db_default={}, default=dict),
        ),
    ]
