"""Retention deletes encrypted values that no backup contains."""

import datetime as dt

from django.db import migrations, models
from django.db.models.functions import Now

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ("operations", "0003_pruning_functions"),
        ("providers", "0007_encrypted_values"),
    ]

    operations = [
        migrations.AddField(
            model_name="configurationsecret",
            name="check_after",
            field=models.DateTimeField(db_default=Now() + dt.timedelta(days=7)),
        ),
        migrations.AlterField(
            model_name="providerconnection",
            name="reads_encrypted_values",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Backups then contain them, encrypted, and restores write them. This "
                "requires the permission DeviceManagementConfiguration.ReadWrite.All. Retention "
                "deletes a value with the last backup that contains it, also after this is "
                "switched off.",
                verbose_name="read encrypted OMA-URI values",
            ),
        ),
        run_sql_file(__file__, "deleted_secrets"),
    ]
