"""Only functions that check each run delete runs and their details."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0002_guards"), ("tenancy", "0003_fixed_search_path")]

    operations = [
        run_sql_file(__file__, "fixed_search_path"),
        run_sql_file(__file__, "pruning"),
    ]
