"""No restore and no item of one is deleted."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("restores", "0003_fixed_search_path"),
        ("operations", "0003_pruning_functions"),
    ]

    operations = [
        run_sql_file(__file__, "row_guards"),
    ]
