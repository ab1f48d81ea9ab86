"""Incidents: the problems of a workspace that have one cause."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0005_recovery"),
        ("tenancy", "0003_fixed_search_path"),
    ]

    operations = [
        migrations.CreateModel(
            name="Incident",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cause", models.CharField(db_collation="C", max_length=160)),
                ("number", models.PositiveIntegerField()),
                ("since", models.DateTimeField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "close_reason",
                    models.CharField(
                        blank=True,
                        choices=[("recovered", "Recovered"), ("acknowledged", "Acknowledged")],
                        db_default="",
                        default="",
                        max_length=16,
                    ),
                ),
                ("first_run_at", models.DateTimeField()),
                ("last_run_at", models.DateTimeField()),
                ("runs", models.PositiveIntegerField(db_default=0, default=0)),
                ("tenants", models.PositiveIntegerField(db_default=0, default=0)),
                ("recovered_runs", models.PositiveIntegerField(db_default=0, default=0)),
                ("recovered_tenants", models.PositiveIntegerField(db_default=0, default=0)),
                ("settled_runs", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "counted_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "operation_incidents",
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="operationrun",
            name="incident",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="operations.incident",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(("assigned_to__isnull", False)),
                fields=["assigned_to", "created_at", "id"],
                name="runs_assigned",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(("incident__isnull", False)),
                fields=["incident", "created_at", "id"],
                name="runs_of_incident",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(
                    ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                    ("recovered_at__isnull", True),
                    ("incident__isnull", True),
                    models.Q(("cause", ""), _negated=True),
                ),
                fields=["workspace", "cause", "created_at"],
                name="runs_without_incident",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", False)),
                fields=["workspace", "created_at", "id"],
                name="incidents_closed",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("workspace", "cause"),
                name="incidents_one_open_per_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                fields=("workspace", "cause", "number"), name="incidents_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                fields=("id", "workspace", "cause"), name="incidents_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("close_reason", ""), ("closed_at__isnull", True)),
                    models.Q(
                        ("close_reason__in", ("recovered", "acknowledged")),
                        ("closed_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="incidents_closed_for_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("close_reason", "recovered"), _negated=True),
                    ("recovered_runs", models.F("runs")),
                    _connector="OR",
                ),
                name="incidents_recovered_completely",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("first_run_at__lte", models.F("last_run_at")),
                    ("recovered_runs__lte", models.F("settled_runs")),
                    ("recovered_tenants__lte", models.F("tenants")),
                    ("settled_runs__lte", models.F("runs")),
                    ("tenants__lte", models.F("runs")),
                ),
                name="incidents_counts_fit",
            ),
        ),
        run_sql_file(__file__, "incidents"),
    ]
