"""Connections store what they have sent recently, so that workers share the limits of Graph."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('providers', '0004_delta_links'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConnectionPace',
            fields=[
                ('connection', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='pace', serialize=False, to='providers.providerconnection')),
                ('sent', models.JSONField(db_default={}, default=dict)),
                ('not_before', models.FloatField(db_default=0.0, default=0.0)),
            ],
            options={
                'db_table': 'connection_paces',
            },
        ),
    ]
