"""A tenant that is there already is told in words."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0001_initial'),
    ]

    operations = [
        migrations.AlterConstraint(
            model_name='tenant',
            name='tenants_once_per_workspace',
            constraint=models.UniqueConstraint(models.F('workspace'), models.F('external_id'), name='tenants_once_per_workspace', violation_error_message='This workspace has a tenant with that id already.'),
        ),
    ]
