"""The functions that split a change into the terms by which it is found."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("backups", "0016_exact_numbers")]

    operations = [run_sql_file(__file__, "change_terms")]
