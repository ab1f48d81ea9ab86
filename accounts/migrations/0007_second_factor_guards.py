"""Database guards of codes: each is used once."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_second_factor")]

    operations = [
        run_sql_file(__file__, "second_factor_guards"),
    ]
