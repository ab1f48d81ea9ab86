"""Retention checks a run against the newest one of its group, which an index has."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0011_read_indexes")]

    operations = [run_sql_file(__file__, "removable_runs")]
