"""Database guards of invitations."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_invitation")]

    operations = [
        run_sql_file(__file__, "invitation_guards"),
    ]
