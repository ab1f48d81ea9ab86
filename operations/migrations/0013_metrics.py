"""Counters of what the ledger records, and the trace that a run continues."""

from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0012_removable_runs")]

    operations = [
        migrations.CreateModel(
            name="MetricIncrement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=60)),
                ("run_id", models.BigIntegerField(blank=True, null=True)),
                ("counters", models.JSONField(blank=True, null=True)),
            ],
            options={"db_table": "operation_metric_increments", "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="Metric",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("labels", models.JSONField(db_default={}, default=dict)),
                ("value", models.FloatField(default=0)),
            ],
            options={
                "db_table": "operation_metrics",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("name", "labels"), name="metrics_once")
                ],
            },
        ),
        migrations.AddField(
            model_name="operationrun",
            name="trace_parent",
            field=models.CharField(blank=True, db_default="", default="", max_length=55),
        ),
        run_sql_file(__file__, "metrics"),
    ]
