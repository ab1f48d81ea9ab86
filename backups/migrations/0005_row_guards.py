"""Only functions that check each row delete sets, their items and contents."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0004_fixed_search_path"),
        ("operations", "0003_pruning_functions"),
    ]

    operations = [
        run_sql_file(__file__, "deletion"),
    ]
