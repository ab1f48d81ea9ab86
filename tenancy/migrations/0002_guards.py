"""Database guards of tenants."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [
        run_sql_file(__file__, "tenant_identity"),
    ]
