"""The runs that another run has started are found by its id."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0003_submissions'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(models.F('context__parent_run_id'), condition=models.Q(('context__has_key', 'parent_run_id')), name='runs_parts'),
        ),
    ]
