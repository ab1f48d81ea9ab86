"""Only persons approve restores, and not those that their own service token requested."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("restores", "0011_replacements"), ("accounts", "0017_access_token_guards")]

    operations = [
        run_sql_file(__file__, "approvals_by_persons"),
    ]
