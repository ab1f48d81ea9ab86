"""Only a function adds legacy runs."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("legacy_runs", "0002_guards"),
        ("operations", "0003_pruning_functions"),
    ]

    operations = [
        run_sql_file(__file__, "fixed_search_path"),
        run_sql_file(__file__, "import_function"),
    ]
