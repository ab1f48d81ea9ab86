"""A changed second factor is recorded; its use is not."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_audit_group_roles")]

    operations = [
        run_sql_file(__file__, "audit_changed_second_factors"),
    ]
