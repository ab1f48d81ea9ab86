"""Heartbeats, claims and ends take less of the server, because their triggers have short conditions."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0013_metrics")]

    operations = [run_sql_file(__file__, "short_conditions")]
