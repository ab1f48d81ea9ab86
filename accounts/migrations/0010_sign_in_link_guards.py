"""A sign-in link is used once, in time, by its user."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_password_resets_and_sign_in_links")]

    operations = [
        run_sql_file(__file__, "sign_in_links"),
    ]
