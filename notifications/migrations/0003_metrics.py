"""Deliveries are counted for the metrics."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_guards"), ("operations", "0012_metrics")]

    operations = [run_sql_file(__file__, "metrics")]
