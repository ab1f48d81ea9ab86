"""Database guards that keep legacy runs read-only."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("legacy_runs", "0001_initial")]

    operations = [
        run_sql_file(__file__, "read_only"),
        run_sql_file(__file__, "linked_run"),
    ]
