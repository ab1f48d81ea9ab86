"""Items of ended runs never change, and other roles create no temporary tables."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0003_pruning_functions")]

    operations = [
        run_sql_file(__file__, "item_changes"),
        run_sql_file(__file__, "no_temporary_tables"),
    ]
