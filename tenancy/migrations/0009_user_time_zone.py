"""The time zone in which a user sees times."""

import tenancy.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0008_sign_in_record_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='timezone',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, validators=[tenancy.models.validate_timezone], verbose_name='time zone'),
        ),
    ]
