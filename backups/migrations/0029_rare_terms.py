"""The function that chooses the terms by which a search asks an index of terms."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("backups", "0028_deletion_by_statement")]

    operations = [run_sql_file(__file__, "rare_terms")]
