"""The ended runs of the last two days by quarters of an hour, which the overview adds up."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("operations", "0015_active_runs_of_a_tenant")]

    operations = [
        migrations.CreateModel(
            name="RunCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quarter", models.DateTimeField()),
                ("type", models.CharField(max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("succeeded", "Succeeded"),
                            ("partially_succeeded", "Partially succeeded"),
                            ("failed", "Failed"),
                            ("blocked", "Blocked"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=24,
                    ),
                ),
                ("runs", models.BigIntegerField()),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "operation_run_counts",
                "default_permissions": (),
                "indexes": [models.Index(fields=["quarter"], name="run_counts_quarter")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "quarter", "type", "outcome"),
                        name="run_counts_once",
                    )
                ],
            },
        ),
        run_sql_file(__file__, "run_counts"),
    ]
