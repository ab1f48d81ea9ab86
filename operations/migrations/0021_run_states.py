"""Statements on runs take less of the server: one function keeps the rules of what all of them change."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0020_attention_of_a_tenant")]

    operations = [run_sql_file(__file__, "run_states")]
