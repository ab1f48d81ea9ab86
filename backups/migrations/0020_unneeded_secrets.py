"""Retention deletes encrypted values that no backup contains."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ("backups", "0019_secret_references"),
        ("providers", "0008_check_secrets"),
    ]

    operations = [run_sql_file(__file__, "unneeded_secrets")]
