"""The guards ignore temporary tables of the same names."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("backups", "0003_schedule_revisions")]

    operations = [
        run_sql_file(__file__, "fixed_search_path"),
    ]
