"""An access token never changes, and ends once."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0016_access_token_tables"),
        ("tenancy", "0015_service_account_guards"),
    ]

    operations = [
        run_sql_file(__file__, "access_tokens"),
    ]
