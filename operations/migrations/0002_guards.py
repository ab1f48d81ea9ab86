"""Database guards of runs: what the database rejects, whichever client writes."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0001_initial")]

    operations = [
        run_sql_file(__file__, "run_checks"),
        run_sql_file(__file__, "run_changes"),
        run_sql_file(__file__, "run_deletion"),
        run_sql_file(__file__, "append_only"),
        run_sql_file(__file__, "run_fillfactor"),
    ]
