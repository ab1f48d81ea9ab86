"""The audit log is append-only, records changes of rows and is sealed; retention deletes."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        run_sql_file(__file__, "append_only"),
        run_sql_file(__file__, "recording"),
        run_sql_file(__file__, "chain"),
        run_sql_file(__file__, "retention"),
    ]
