"""The end of a run takes less of the server, because its trigger has a short condition."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0005_event_search_indexes"),
        ("operations", "0022_counted_once"),
    ]

    operations = [run_sql_file(__file__, "problems")]
