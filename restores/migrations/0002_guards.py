"""Database guards of restores: what the database rejects, whichever client writes."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("restores", "0001_initial")]

    operations = [
        run_sql_file(__file__, "keys"),
        run_sql_file(__file__, "restore_changes"),
        run_sql_file(__file__, "item_changes"),
        run_sql_file(__file__, "item_set"),
    ]
