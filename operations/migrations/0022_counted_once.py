"""Claims and events take less of the server, because fewer triggers ask whether something counts."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0021_run_states")]

    operations = [run_sql_file(__file__, "counted_once")]
