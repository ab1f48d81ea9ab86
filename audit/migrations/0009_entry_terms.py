"""The function that splits an entry into the terms by which it is found."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0008_reasons"),
        # It created the function that splits a text.
        ("backups", "0017_change_terms"),
    ]

    operations = [run_sql_file(__file__, "entry_terms")]
