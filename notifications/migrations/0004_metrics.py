"""Deliveries are counted for the metrics."""

from django.db import migrations

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_webhooks"), ("operations", "0013_metrics")]

    operations = [run_sql_file(__file__, "metrics")]
