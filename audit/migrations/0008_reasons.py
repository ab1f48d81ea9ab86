"""Entries keep the reason of a change."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_role_since")]

    operations = [run_sql_file(__file__, "reasons")]
