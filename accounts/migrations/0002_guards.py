"""Sessions cannot be extended or given to another user."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        run_sql_file(__file__, "session_end"),
    ]
