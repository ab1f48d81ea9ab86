"""No run starts on an archived tenant."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0006_incidents"),
        ("tenancy", "0012_archived_tenants"),
    ]

    operations = [run_sql_file(__file__, "archived_tenants")]
