"""An approver has had the role for a day."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("restores", "0006_approvals"), ("tenancy", "0011_role_since")]

    operations = [
        run_sql_file(__file__, "approver_role"),
    ]
