"""Database guards of backups: what the database rejects, whichever client writes."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("backups", "0001_initial"), ("operations", "0002_guards")]

    operations = [
        run_sql_file(__file__, "slot_once"),
        run_sql_file(__file__, "scopes"),
        run_sql_file(__file__, "checks"),
        run_sql_file(__file__, "history"),
        run_sql_file(__file__, "complete_sets"),
        run_sql_file(__file__, "building_sets"),
    ]
