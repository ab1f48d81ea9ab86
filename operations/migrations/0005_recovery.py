"""Causes of problems, the later runs that resolve them, and notes of acknowledgments."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0004_row_guards"),
        ("tenancy", "0003_fixed_search_path"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="operationrun",
            name="runs_ws_attention",
        ),
        migrations.AddField(
            model_name="operationrun",
            name="acknowledgment_note",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="operationrun",
            name="assigned_to",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="operationrun",
            name="cause",
            field=models.CharField(
                blank=True, db_collation="C", db_default="", default="", max_length=160
            ),
        ),
        migrations.AddField(
            model_name="operationrun",
            name="recovered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="operationrun",
            name="recovered_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="operations.operationrun",
            ),
        ),
        migrations.AddField(
            model_name="operationrun",
            name="superseded_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="operations.operationrun",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(
                    ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                    ("acknowledged_at__isnull", True),
                    ("recovered_at__isnull", True),
                    ("superseded_by__isnull", True),
                    models.Q(("context__has_key", "parent_run_id"), _negated=True),
                ),
                fields=["workspace", "created_at", "id"],
                name="runs_ws_attention",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(
                    ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                    ("recovered_at__isnull", True),
                ),
                fields=["run_identity_hash"],
                name="runs_unrecovered",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(("outcome", "blocked"), ("recovered_at__isnull", True)),
                fields=["created_at"],
                name="runs_blocked",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(
                    ("outcome__in", ("failed", "partially_succeeded", "blocked")), ("cause", "")
                ),
                fields=["id"],
                name="runs_without_cause",
            ),
        ),
        migrations.AddIndex(
            model_name="operationrun",
            index=models.Index(
                condition=models.Q(("cause", ""), _negated=True),
                fields=["workspace", "cause", "created_at", "id"],
                name="runs_ws_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="operationrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("recovered_at__isnull", True), ("recovered_by__isnull", True)),
                    models.Q(
                        ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                        ("recovered_at__isnull", False),
                        ("recovered_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="runs_recovered_from_a_problem",
            ),
        ),
        migrations.AddConstraint(
            model_name="operationrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("superseded_by__isnull", True),
                    ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                    _connector="OR",
                ),
                name="runs_superseded_problem",
            ),
        ),
        migrations.AddConstraint(
            model_name="operationrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cause", ""),
                    ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                    _connector="OR",
                ),
                name="runs_cause_of_a_problem",
            ),
        ),
        migrations.AddConstraint(
            model_name="operationrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("acknowledged_at__isnull", False),
                    models.Q(("acknowledgment_note", ""), ("assigned_to__isnull", True)),
                    _connector="OR",
                ),
                name="runs_note_of_an_acknowledgment",
            ),
        ),
        run_sql_file(__file__, "recovery"),
    ]
