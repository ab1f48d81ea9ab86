"""A service account cannot sign in, and belongs to one workspace."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0014_service_accounts")]

    operations = [
        run_sql_file(__file__, "service_accounts"),
    ]
