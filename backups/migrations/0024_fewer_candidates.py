"""Deleting a set costs less, because contents that other sets refer to are not checked again."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("backups", "0023_shared_items")]

    operations = [run_sql_file(__file__, "fewer_candidates")]
