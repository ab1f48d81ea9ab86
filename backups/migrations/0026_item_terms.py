"""The function that splits a backup item into the terms by which it is found."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("backups", "0025_labels")]

    operations = [run_sql_file(__file__, "item_terms")]
